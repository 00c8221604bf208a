// SPDX-License-Identifier: Apache-2.0
//
// The procedures that quantize part by part, as a user runs them: every stage freezes more, what is frozen
// outlives training, kills and resumes to the byte, and the last model's weights are all levels.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <random>
#include <set>
#include <thread>
#include <variant>

#include "bitplane/model_spec.h"
#include "trainer/data/batch.h"
#include "trainer/nn/layers.h"
#include "trainer/procedures/procedure.h"
#include "trainer/quantizers/incremental.h"
#include "trainer/run/loaded_run.h"
#include "trainer/run/net_state.h"
#include "trainer/run/training_data.h"
#include "trainer/trainer_command.h"

namespace bitplane::train {
namespace {

using testing::Arguments;
using testing::Finished;
using testing::run;
using testing::TemporaryFolder;

class IncrementalProcedure : public ::testing::Test {
 protected:
  void SetUp() override {
    testing::write_small_dataset(folder_);
    const Finished trained = run(folder_, testing::train_arguments(folder_, "float", {"--method", "float"}));
    ASSERT_EQ(trained.code, 0) << trained.err;
  }
  [[nodiscard]] Arguments quantize(const std::string& out, const Arguments& more) const {
    Arguments arguments{"quantize", "--from", folder_ / "float", "--epochs", "1", "--out", folder_ / out};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  /// Frozen weights of each stage are those of the stage before, to the bit; in the end all are frozen.
  void expect_stages_freeze(const std::string& out, const std::vector<std::string>& stages) {
    std::optional<LoadedRun> before;
    double last = 0;
    for (const std::string& stage : stages) {
      SCOPED_TRACE(stage);
      const auto prepared =
          nlohmann::json::parse(read_file_text(folder_ / (out + "/" + stage + ".prepared.json")));
      const double share = prepared.at("found").at("frozen");
      EXPECT_GT(share, last);
      last = share;
      LoadedRun now = load_run(folder_ / (out + "/" + stage), Which::Last);
      if (before) expect_kept(*before, now);
      before = std::move(now);
    }
    EXPECT_EQ(last, 1.0);
  }
  /// The largest output of each layer in evaluation, on all training pictures.
  [[nodiscard]] std::map<std::string, float> largest_of_training_set(const LoadedRun& run) const {
    const TrainingData data = load_training_data(run.folder.config());
    std::vector<std::uint32_t> all(data.train.count);
    std::iota(all.begin(), all.end(), 0U);
    Backend backend{{.threads = 1}};
    const Context eval{.backend = backend, .mode = Mode::Eval, .grad = GradMode::Off};
    std::map<std::string, float> largest;
    run.net->watch(eval, Variable(make_batch(data.train, run.task.preprocessing, all).pictures), "",
                   [&](const std::string& name, const Variable& output) {
                     largest[name] = *std::ranges::max_element(output.value().values());
                   });
    return largest;
  }
  /// From the last part of the run in `out` the same net as its stage `activations`, and nothing from a run
  /// whose weights are not done, or whose activations have bits.
  void expect_bits_for_runs_that_are_done(const std::string& out, const LoadedRun& wanted) {
    const auto go_on = [&](const std::string& from, const Arguments& more) {
      Arguments arguments{"quantize", "--from", folder_ / from, "--out", folder_ / "alone",
                          "--method", "slq",    "--abits",      "8"};
      arguments.insert(arguments.end(), more.begin(), more.end());
      return run(folder_, arguments);
    };
    const auto expect_refused = [&](const std::string& from, const Arguments& more, const std::string& why) {
      const Finished refused = go_on(from, more);
      EXPECT_EQ(refused.code, 2);
      EXPECT_NE(refused.err.find(why), std::string::npos) << refused.err;
    };
    expect_refused(out + "/2-part-2", {}, "not all of its weights are quantized");
    expect_refused(out + "/3-part-3", {"--wbits", "5"}, "its weights stay as they are");
    expect_refused(out, {}, "only float activations get bits");
    expect_refused("float", {"--option", "calibrate=only"}, "calibrate=on quantizes them first");
    const Finished alone = go_on(out + "/3-part-3", {});
    ASSERT_EQ(alone.code, 0) << alone.err;
    const LoadedRun converted = load_run(folder_ / "alone/1-activations", Which::Last);
    const std::map<std::string, Tensor*> has = tensors_of(*converted.net);
    for (const auto& [name, tensor] : tensors_of(*wanted.net))
      EXPECT_TRUE(std::ranges::equal(tensor->values(), has.at(name)->values())) << name;
  }
  TemporaryFolder folder_;

 private:
  static void expect_kept(const LoadedRun& before, const LoadedRun& now) {
    const auto old_layers = quantized_layers(*before.net), layers = quantized_layers(*now.net);
    ASSERT_EQ(old_layers.size(), layers.size());
    for (std::size_t l = 0; l < layers.size(); ++l) {
      const Tensor frozen = old_layers[l].quantizer->frozen();
      for (std::size_t i = 0; i < frozen.size(); ++i) {
        if (frozen.data()[i] == 0.0F) continue;
        ASSERT_EQ(layers[l].weights->data()[i], old_layers[l].weights->data()[i]) << layers[l].name;
        ASSERT_EQ(layers[l].quantizer->frozen().data()[i], 1.0F);
      }
    }
  }
};

TEST_F(IncrementalProcedure, SlqFreezesClusterAfterCluster) {
  const Finished finished =
      run(folder_, quantize("slq", {"--method", "slq", "--wbits", "3", "--option", "order=loss"}));
  ASSERT_EQ(finished.code, 0) << finished.err;
  expect_stages_freeze("slq", {"1-part-1", "2-part-2", "3-part-3"});
  const auto model = engine::read_model(folder_ / "slq/3-part-3/model.safetensors");
  ASSERT_TRUE(model.ok()) << model.status().message();
  for (const engine::Node& node : model->nodes) {
    const auto* conv = std::get_if<engine::Conv2d>(&node.op);
    const auto* linear = std::get_if<engine::Linear>(&node.op);
    if (conv == nullptr && linear == nullptr) continue;
    const engine::Weights& weights = conv != nullptr ? conv->weights : linear->weights;
    EXPECT_TRUE(std::holds_alternative<engine::CodebookWeights>(weights)) << node.name;
  }
}

/// Weights as they were trained, on activations whose clip points are the largest that they meet.
TEST_F(IncrementalProcedure, ActivationsGetTheirBitsBehindTheLastPart) {
  const Finished finished =
      run(folder_, quantize("slq", {"--method", "slq", "--wbits", "3", "--abits", "8", "--option",
                                    "activations=gdrq", "--option", "calibrate=on"}));
  ASSERT_EQ(finished.code, 0) << finished.err;
  expect_stages_freeze("slq", {"1-part-1", "2-part-2", "3-part-3"});
  const LoadedRun before = load_run(folder_ / "slq/3-part-3", Which::Last),
                  now = load_run(folder_ / "slq/4-activations", Which::Last);
  EXPECT_EQ(before.folder.config().abits, kFloatBits);
  EXPECT_EQ(now.folder.config().abits, 8U);
  const std::map<std::string, Tensor*> had = tensors_of(*before.net);
  for (const auto& [name, tensor] : had) {
    ASSERT_TRUE(tensors_of(*now.net).contains(name)) << name;
    EXPECT_TRUE(std::ranges::equal(tensors_of(*now.net).at(name)->values(), tensor->values())) << name;
  }
  const std::map<std::string, float> largest = largest_of_training_set(before);
  std::size_t points = 0;
  for (const LayerNode& node : layer_graph(*now.net).nodes) {
    if (!std::holds_alternative<const Quantize*>(node.layer)) continue;
    EXPECT_EQ(tensors_of(*now.net).at(node.name + ".clip_point")->data()[0], largest.at(node.inputs.front()));
    ++points;
  }
  EXPECT_EQ(points, 4U);
  const auto model = engine::read_model(folder_ / "slq/4-activations/model.safetensors");
  ASSERT_TRUE(model.ok()) << model.status().message();
  std::size_t in_bits = 0;
  for (const engine::Node& node : model->nodes) {
    const auto* conv = std::get_if<engine::Conv2d>(&node.op);
    in_bits += conv != nullptr && std::holds_alternative<engine::PlaneWeights>(conv->weights) ? 1U : 0U;
  }
  EXPECT_EQ(in_bits, 4U);
  expect_bits_for_runs_that_are_done("slq", now);
}

/// Their ranges were found while the parts were trained.
TEST_F(IncrementalProcedure, EndsOfEightBitsKeepTheirRanges) {
  const Arguments bits{"--abits", "8", "--option", "activations=gdrq"};
  Arguments arguments{"--method", "inq", "--first-last", "8", "--option", "calibrate=on"};
  arguments.insert(arguments.end(), bits.begin(), bits.end());
  const Finished finished = run(folder_, quantize("inq", arguments));
  ASSERT_EQ(finished.code, 0) << finished.err;
  const LoadedRun before = load_run(folder_ / "inq/4-part-4", Which::Last),
                  now = load_run(folder_ / "inq/5-activations", Which::Last);
  std::size_t kept = 0;
  for (const auto& [name, tensor] : tensors_of(*before.net)) {
    EXPECT_TRUE(std::ranges::equal(tensors_of(*now.net).at(name)->values(), tensor->values())) << name;
    kept += name.ends_with(".clip") ? 1U : 0U;
  }
  EXPECT_EQ(kept, 1U);
  const auto model = engine::read_model(folder_ / "inq/5-activations/model.safetensors");
  EXPECT_TRUE(model.ok()) << model.status().message();

  Arguments go_on{"quantize", "--from", folder_ / "inq/4-part-4", "--out", folder_ / "alone",
                  "--method", "inq"};
  go_on.insert(go_on.end(), bits.begin(), bits.end());
  Arguments other = go_on;
  other.insert(other.end(), {"--first-last", "float"});
  const Finished refused = run(folder_, other);
  EXPECT_EQ(refused.code, 2);
  EXPECT_NE(refused.err.find("its weights stay as they are"), std::string::npos) << refused.err;
  const Finished alone = run(folder_, go_on);
  EXPECT_EQ(alone.code, 0) << alone.err;
}

TEST_F(IncrementalProcedure, OnlyClipPointsOfGdrqAreCalibrated) {
  const auto expect_refused = [&](const Arguments& more) {
    Arguments arguments{"--method", "mlq", "--option", "calibrate=on"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Finished refused = run(folder_, quantize("no", arguments));
    EXPECT_EQ(refused.code, 2);
    EXPECT_NE(refused.err.find("give --abits 8, for example, and --option activations=gdrq"),
              std::string::npos)
        << refused.err;
    EXPECT_FALSE(std::filesystem::exists(folder_ / "no"));
  };
  expect_refused({});
  expect_refused({"--abits", "2", "--option", "activations=lsq"});
}

TEST_F(IncrementalProcedure, MlqTakesGroupsOfLayersTwice) {
  const Finished finished =
      run(folder_, quantize("mlq", {"--method", "mlq", "--abits", "2", "--option", "activations=lq-nets",
                                    "--option", "conv_groups=1"}));
  ASSERT_EQ(finished.code, 0) << finished.err;
  expect_stages_freeze("mlq", {"1-boundaries-1", "2-boundaries-2", "3-hearts-1", "4-hearts-2"});
}

/// 5 convolutions in 3 groups, and the linear layer: each in one group, the same for boundaries and hearts.
TEST_F(IncrementalProcedure, MlqDividesConvolutionsIntoGroupsOfLikeSize) {
  const Finished finished = run(folder_, quantize("mlq", {"--method", "mlq"}));
  ASSERT_EQ(finished.code, 0) << finished.err;
  const auto group_of = [&](const std::string& stage) {
    const auto prepared =
        nlohmann::json::parse(read_file_text(folder_ / ("mlq/" + stage + ".prepared.json")));
    return prepared.at("found").at("group").get<std::vector<std::string>>();
  };
  constexpr std::size_t kSizes[] = {2, 2, 1, 1};
  std::set<std::string> all;
  for (std::size_t g = 1; g <= std::size(kSizes); ++g) {
    const std::string number = std::to_string(g);
    const std::vector<std::string> group = group_of(number + "-boundaries-" + number);
    EXPECT_EQ(group.size(), kSizes[g - 1]) << "group " << g;
    EXPECT_EQ(group_of(std::to_string(g + 4) + "-hearts-" + number), group);
    all.insert(group.begin(), group.end());
  }
  EXPECT_EQ(all.size(), 6U);
}

TEST_F(IncrementalProcedure, MlqNeedsNoGroupForALinearLayerThatStaysFloat) {
  const Arguments one_group{"--method", "mlq",           "--option", "layers=inner",
                            "--option", "conv_groups=1", "--option"};
  const auto with = [&](const char* linear_groups) {
    Arguments arguments = one_group;
    arguments.emplace_back(linear_groups);
    return arguments;
  };
  const Finished idle = run(folder_, quantize("idle", with("linear_groups=1")));
  ASSERT_EQ(idle.code, 0) << idle.err;
  EXPECT_NE(idle.err.find("group 2 has no layers, this stage only trains"), std::string::npos) << idle.err;
  const Finished none = run(folder_, quantize("none", with("linear_groups=0")));
  ASSERT_EQ(none.code, 0) << none.err;
  EXPECT_EQ(none.err.find("has no layers"), std::string::npos) << none.err;
  expect_stages_freeze("none", {"1-boundaries-1", "2-hearts-1"});
}

TEST_F(IncrementalProcedure, MlqOrdersLinearLayersAmongConvolutionsWhenTheyHaveNoGroup) {
  const Finished finished =
      run(folder_,
          quantize("among", {"--method", "mlq", "--option", "conv_groups=1", "--option", "linear_groups=0"}));
  ASSERT_EQ(finished.code, 0) << finished.err;
  expect_stages_freeze("among", {"1-boundaries-1", "2-hearts-1"});
}

TEST_F(IncrementalProcedure, KilledAtRandomMomentsItEndsWithTheSameBytes) {
  using Clock = std::chrono::steady_clock;
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  const auto arguments = [&](const std::string& out) {
    return quantize(out, {"--method", "inq", "--abits", "2", "--checkpoint-every", "1"});
  };
  const auto start = Clock::now();
  const Finished whole = run(folder_, arguments("whole"));
  ASSERT_EQ(whole.code, 0) << whole.err;
  const std::chrono::duration<double> seconds = Clock::now() - start;
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> delay(0.0, seconds.count() / 2);
  for (int kill = 0; kill < 5; ++kill) {
    testing::Command command(folder_, arguments("killed"));
    std::this_thread::sleep_for(std::chrono::duration<double>(delay(random)));
    command.kill();
    static_cast<void>(command.wait());
  }
  const Finished end = run(folder_, arguments("killed"));
  ASSERT_EQ(end.code, 0) << end.err;
  for (const std::string stage : {"1-part-1", "2-part-2", "3-part-3", "4-part-4"}) {
    for (const char* file : {"/model.safetensors", "/checkpoint-last.safetensors", ".prepared.json"}) {
      EXPECT_TRUE(read_file_text(folder_ / ("killed/" + stage + file)) ==
                  read_file_text(folder_ / ("whole/" + stage + file)))
          << stage << file;
    }
  }
  expect_stages_freeze("killed", {"1-part-1", "2-part-2", "3-part-3", "4-part-4"});
}

TEST_F(IncrementalProcedure, FromScratchIsRefusedWithWhatToDo) {
  for (const MethodInfo& method : methods()) {
    if (method.start != MethodStart::FloatNet) continue;
    const std::string name(method.name);
    const Finished finished = run(folder_, testing::train_arguments(folder_, "x", {"--method", name}));
    EXPECT_EQ(finished.code, 2);
    EXPECT_NE(finished.err.find("trainer quantize --from RUN --method " + name), std::string::npos)
        << finished.err;
    EXPECT_EQ(find_procedure(name).method, name);
  }
  const Finished bits = run(folder_, quantize("y", {"--method", "slq", "--wbits", "2"}));
  EXPECT_EQ(bits.code, 2);
  EXPECT_NE(bits.err.find("3 to 5"), std::string::npos) << bits.err;
}

}  // namespace
}  // namespace bitplane::train
