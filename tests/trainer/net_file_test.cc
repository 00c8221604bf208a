// SPDX-License-Identifier: Apache-2.0
#include "trainer/nets/net_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "bitplane/model_spec.h"
#include "trainer/export/export.h"
#include "trainer/methods/method.h"
#include "trainer/nets/layer_sizes.h"
#include "trainer/run/build.h"
#include "trainer/run/loaded_run.h"
#include "trainer/run_support.h"
#include "trainer/trainer_support.h"

namespace bitplane::train {
namespace {

using testing::TemporaryFolder;

/// The JSON blocks of docs/NETS.md, in order.
std::vector<std::string> documented_nets() {
  std::ifstream file(std::string(BITPLANE_GOLDEN_DIR) + "/../../docs/NETS.md");
  std::stringstream text;
  text << file.rdbuf();
  const std::string all = text.str(), open = "```json\n";
  std::vector<std::string> found;
  for (std::size_t at = all.find(open); at != std::string::npos; at = all.find(open, at + 1)) {
    const std::size_t begin = at + open.size();
    found.push_back(all.substr(begin, all.find("```", begin) - begin));
  }
  return found;
}

std::string written(const TemporaryFolder& folder, const std::string& text) {
  std::ofstream(folder / "net.json") << text;
  return folder / "net.json";
}

std::unique_ptr<Module> built(const std::string& net, double width = 1.0) {
  const QuantizationPlan plan = make_plan(resolve_method({.method = "lq-nets", .wbits = 2, .abits = 2}));
  auto module = build_net(net, {.input = {32, 32, 3}, .classes = 10, .width = width, .plan = plan});
  initialize_parameters(*module, 4);
  return module;
}

TEST(NetFile, TheDocumentedFileIsCnnSmall) {
  const TemporaryFolder folder;
  ASSERT_EQ(documented_nets().size(), 2U);
  const std::string text = read_net_file(written(folder, documented_nets()[0]));
  EXPECT_TRUE(is_net_text(text));
  EXPECT_EQ(net_title(text), "cnn-small by hand");
  for (const double width : {1.0, 0.4}) {
    const auto net = built(text, width), same = built("cnn-small", width);
    const auto ours = named_parameters(*net), theirs = named_parameters(*same);
    ASSERT_EQ(ours.size(), theirs.size());
    for (std::size_t i = 0; i < ours.size(); ++i) EXPECT_EQ(ours[i].name, theirs[i].name);
    Backend backend;
    const Context ctx{.backend = backend};
    const Variable x(testing::random_tensor({2, 32, 32, 3}, 1));
    EXPECT_EQ(testing::bits_of(net->forward(ctx, x).value()),
              testing::bits_of(same->forward(ctx, x).value()));
  }
}

TEST(NetFile, ResidualsAndBranchesAreGraphs) {
  const TemporaryFolder folder;
  const auto blocks = built(read_net_file(written(folder, documented_nets()[1])));
  // 9 (3 16 + 2 16 16 + 16 32 + 32 32)
  EXPECT_EQ(count_graph(layer_graph(*blocks), {32, 32, 3}).conv_weights, 18864U);
  const auto net = built(read_net_file(written(folder, R"({"layers": [
      {"type": "branches", "name": "mix", "ways": [
        {"name": "same", "layers": []},
        {"name": "dense", "layers": [{"type": "sequence", "name": "s", "layers": [
          {"type": "conv", "channels": 6, "groups": 3, "dilation": 2, "pad": 2, "bias": true},
          {"type": "local_response_norm", "size": 3, "window": "within_channel"}]}]}]},
      {"type": "average_pool", "kernel": 3, "pad": 1, "rounding": "ceil", "padding": "included"},
      {"type": "flatten"}, {"type": "dropout", "rate": 0.2},
      {"type": "linear", "features": "classes", "place": "last", "deviation": 0.1, "bias_rate": 2}]})")));
  std::string names;
  for (const LayerNode& node : layer_graph(*net).nodes) names += node.name + " ";
  EXPECT_EQ(names,
            "mix.dense.s.conv1 mix.dense.s.local_response_norm1 mix.concat average_pool1 flatten1 dropout1 "
            "linear1 ");
  Backend backend;
  const Context ctx{.backend = backend};
  EXPECT_EQ(net->forward(ctx, Variable(testing::random_tensor({2, 32, 32, 3}, 1))).shape(), Shape({2, 10}));
}

TEST(NetFile, ErrorsNameFileAndElement) {
  const std::string end = R"(, {"type": "global_average_pool"}, {"type": "linear", "features": "classes"}]})";
  const std::pair<std::string, std::vector<std::string>> cases[] = {
      {R"({"layers": [{"type": "conv", "chanels": 3}]})", {"layers[0]", "it has no 'channels'", "'chanels'"}},
      {R"({"layers": [{"type": "conv", "channels": 3, "strid": 2}]})",
       {"layers[0]", "unknown key 'strid'", "did you mean 'stride'"}},
      {R"({"layers": [{"type": "relu"}, {"type": "maxpool"}]})", {"layers[1]", "did you mean 'max_pool'"}},
      {R"({"layers": [{"type": "conv", "channels": "many"}]})", {"layers[0]", "'channels' is \"many\""}},
      {R"({"layers": [{"type": "conv", "channels": 3, "place": "frist"}]})", {"did you mean 'first'"}},
      {R"({"layers": [{"type": "conv", "channels": 4, "groups": 2}]})",
       {"2 groups", "3 channels in and 4 out"}},
      {R"({"layers": [{"type": "linear", "features": 3}]})", {"layers[0]", "32x32x3", "flatten"}},
      {R"({"layers": [{"type": "flatten"}, {"type": "conv", "channels": 3}]})",
       {"layers[1]", "needs a picture", "3072"}},
      {R"({"layers": [{"type": "max_pool", "kernel": 15, "stride": 15}, {"type": "max_pool", "kernel": 3}]})",
       {"layers[1]", "window of 3", "2 pixels"}},
      {R"({"layers": [{"type": "residual", "name": "r", "branch": [{"type": "conv", "channels": 8}]})" + end,
       {"layers[0]", "r.add", "32x32x8", "32x32x3"}},
      {R"({"layers": [{"type": "residual", "branch": [{"type": "relu"}, {"type": "rely"}]})" + end,
       {"layers[0].branch[1]", "did you mean 'relu'"}},
      {R"({"layers": [{"type": "branches", "ways": [{"name": "a", "layers": []},
          {"name": "b", "layers": [{"type": "max_pool"}]}]})" +
           end,
       {"layers[0]", "32x32x3", "16x16x3"}},
      {R"({"layers": [{"type": "zero_channel_shortcut", "channels": 2}]})", {"gets 3", "give 2"}},
      {R"({"layers": [{"type": "relu", "name": "a"}, {"type": "relu", "name": "a"}]})", {"layers[1]", "'a'"}},
      {R"({"layers": [{"type": "relu", "name": "a.b"}]})", {"layers[0]", "'a.b'"}},
      {R"({"layers": [{"type": "relu"}]})", {"32x32x3", "10 classes", "\"features\": \"classes\""}},
      {R"({"layers": [{"type": "conv", "channels": 0}]})",
       {"'channels' is 0", "whole number from 1 to 1048576"}},
      {R"({"layers": [{"type": "conv", "channels": 1048577}]})", {"'channels' is 1048577", "1 to 1048576"}},
      {R"({"layers": [{"type": "conv", "channels": 8, "kernel": 256}]})",
       {"'kernel' is 256", "from 1 to 255"}},
      {R"({"layers": [{"type": "conv", "channels": 8, "dilation": 0}]})", {"'dilation' is 0", "from 1"}},
      {R"({"layers": [{"type": "conv", "channels": 8, "deviation": -1}]})",
       {"'deviation' is -1", "at least 0"}},
      {R"({"layers": [{"type": "conv", "channels": 8, "bias_rate": -3}]})",
       {"'bias_rate' is -3", "at least 0"}},
      {R"({"layers": [{"type": "flatten"}, {"type": "linear", "features": 0}]})",
       {"'features' is 0", "from 1"}},
      {R"({"layers": [{"type": "batch_norm", "epsilon": -1}]})", {"'epsilon' is -1", "at least 1e-12"}},
      {R"({"layers": [{"type": "batch_norm", "momentum": 5}]})", {"'momentum' is 5", "from 0 to 1"}},
      {R"({"layers": [{"type": "max_pool", "kernel": 16}]})", {"'kernel' is 16", "from 1 to 15"}},
      {R"({"layers": [{"type": "max_pool", "pad": 2}]})", {"less than its kernel"}},
      {R"({"layers": [{"type": "local_response_norm", "alpha": -1e-6}]})",
       {"layers[0]", "'alpha' and 'beta' are at least 0"}},
      {R"({"layers": [{"type": "relu", "name": "input"}]})", {"layers[0]", "'input' is reserved"}},
      {R"({"layers": [{"type": "relu", "name": "golden"}]})", {"layers[0]", "'golden' is reserved"}},
      {R"({"layers": [{"type": "relu", "name": "a\u0007"}]})", {"layers[0]", "control characters"}},
      {R"({"layers": [{"type": "relu", "name": ")" + std::string(241, 'n') + R"("}]})",
       {"layers[0]", "have 241 bytes; at most 240"}},
      {R"({"layers": [7]})", {"layers[0]", "must be an object"}},
      {R"({"layer": []})", {"it has no 'layers'", "'layer'"}},
      {R"({"layers": [], "nmae": "x"})", {"did you mean 'name'"}},
  };
  const TemporaryFolder folder;
  for (const auto& [text, parts] : cases) {
    SCOPED_TRACE(text);
    const std::string file = written(folder, text);
    const auto message =
        testing::message_of<std::invalid_argument>([&] { (void)built(read_net_file(file)); });
    EXPECT_TRUE(message.starts_with(file)) << message;
    for (const std::string& part : parts) EXPECT_NE(message.find(part), std::string::npos) << message;
  }
}

TEST(NetFile, FilesThatCannotBeReadAreNamed) {
  const TemporaryFolder folder;
  const auto broken = testing::message_of<std::runtime_error>(
      [&] { (void)read_net_file(written(folder, R"({"layers": [)")); });
  EXPECT_NE(broken.find("net.json: not JSON at byte"), std::string::npos) << broken;
  const auto deep = testing::message_of<std::runtime_error>(
      [&] { (void)read_net_file(written(folder, R"({"layers": )" + std::string(200000, '['))); });
  EXPECT_NE(deep.find("net.json: nested deeper than 100 lists"), std::string::npos) << deep;
  const auto missing =
      testing::message_of<std::runtime_error>([&] { (void)read_net_file(folder / "none.json"); });
  EXPECT_NE(missing.find("none.json"), std::string::npos) << missing;
}

/// The longest names and every list in lists that a file may have fit into a model file.
TEST(NetFile, WhatItTakesFitsIntoAModelFile) {
  const TemporaryFolder folder;
  const std::string name(240, 'n');
  const std::string file = written(
      folder,
      R"({"layers": [{"type": "conv", "channels": 4}, {"type": "relu"}, {"type": "quantize", "name": ")" +
          name + R"("}, {"type": "global_average_pool"},
                          {"type": "linear", "features": "classes"}]})");
  PartialConfig flags;
  flags.values.net = file;
  flags.values.data = "synthetic";
  flags.values.epochs = 0;
  flags.values.out = folder / "run";
  flags.values.method = "lsq";
  flags.given = {"net", "data", "epochs", "out", "method"};
  const TrainingData data = testing::small_data(32, 8);
  Training training = Training::start(resolve_config({}, flags), data);
  EXPECT_EQ(training.run(testing::silent()), Outcome::Finished);
  const engine::ModelSpec spec = export_run(load_run(folder / "run", Which::Last));
  EXPECT_TRUE(std::ranges::any_of(spec.nodes, [&](const engine::Node& node) { return node.name == name; }));
  EXPECT_TRUE(engine::write_model(folder / "model", spec).ok());
}

TEST(NetFile, ARunKeepsTheDescription) {
  const TemporaryFolder folder;
  PartialConfig flags;
  flags.values.net = written(folder, documented_nets()[0]);
  flags.values.width = 0.3;
  flags.given = {"net", "width"};
  const Config config = resolve_config({}, flags);
  EXPECT_TRUE(is_net_text(config.net));
  std::filesystem::remove(folder / "net.json");
  const auto json = nlohmann::json::parse(config_to_json(config).dump());
  EXPECT_EQ(resolve_config(config_from_json(json), {}), config);
  EXPECT_NE(build_run_net(config, {32, 32, 3}, 10), nullptr);
}

}  // namespace
}  // namespace bitplane::train
