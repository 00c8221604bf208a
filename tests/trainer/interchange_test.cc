// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <map>
#include <set>

#include "bitplane/safetensors.h"
#include "trainer/checkpoint/file.h"
#include "trainer/interchange/torch_file.h"
#include "trainer/interchange/torch_names.h"
#include "trainer/interchange/torch_view.h"
#include "trainer/methods/method.h"
#include "trainer/nets/net.h"
#include "trainer/nets/net_file.h"
#include "trainer/nn/layers.h"
#include "trainer/trainer_command.h"
#include "trainer_support.h"

namespace bitplane::train::testing {
namespace {

TEST(TorchNames, AreThoseOfTorchvision) {
  const std::array<std::array<std::string, 3>, 19> known{{
      {"resnet-18-post", "conv1", "conv1"},
      {"resnet-18-post", "bn1", "bn1"},
      {"resnet-18-post", "stage1.block1.conv1", "layer1.0.conv1"},
      {"resnet-18-post", "stage1.block1.bn2", "layer1.0.bn1"},
      {"resnet-18-post", "stage4.block2.conv2", "layer4.1.conv2"},
      {"resnet-18-post", "stage4.block2.bn3", "layer4.1.bn2"},
      {"resnet-50-post", "stage3.block6.bn4", "layer3.5.bn3"},
      {"resnet-18-post", "stage2.block1.shortcut.conv", "layer2.0.downsample.0"},
      {"resnet-18-post", "stage2.block1.shortcut.bn", "layer2.0.downsample.1"},
      {"resnet-18-post", "fc", "fc"},
      {"resnet-20", "stage1.block1.conv1", "stage1.block1.conv1"},  // pre-activation: not torchvision's net
      {"vgg-16", "conv1", "features.0"},
      {"vgg-16", "conv13", "features.28"},
      {"vgg-16", "fc14", "classifier.0"},
      {"vgg-16", "fc16", "classifier.6"},
      {"vgg-16-bn", "conv2", "features.3"},
      {"vgg-16-bn", "bn13", "features.41"},
      {"vgg-16-bn", "bn14", "classifier.1"},
      {"vgg-16-bn", "fc15", "classifier.3"},
  }};
  for (const auto& [net, ours, theirs] : known)
    EXPECT_EQ(torch_layer_name(net, ours), theirs) << net << ' ' << ours;
  EXPECT_TRUE(torch_families().back().nets.empty()) << "the last family takes every net";
}

void randomize(Module& net, std::uint64_t seed) {
  for (const NamedParameter& p : named_parameters(net))
    p.parameter->variable.mutable_value().copy_from(random_tensor(p.parameter->variable.shape(), seed++));
  for (const NamedBuffer& b : named_buffers(net)) {
    b.buffer->copy_from(random_tensor(b.buffer->shape(), seed++));
    if (!b.name.ends_with("running_var")) continue;
    for (float& variance : b.buffer->mutable_values()) variance = std::fabs(variance);
  }
}

std::map<std::string, std::vector<std::uint32_t>> bits_of_net(Module& net) {
  std::map<std::string, std::vector<std::uint32_t>> bits;
  for (const NamedParameter& p : named_parameters(net)) bits[p.name] = bits_of(p.parameter->variable.value());
  for (const NamedBuffer& b : named_buffers(net)) bits[b.name] = bits_of(*b.buffer);
  return bits;
}

void write_bytes(const std::string& path, const std::vector<std::byte>& bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

/// The float net, narrow enough for a test.
std::unique_ptr<Module> build(const std::string& name, const PictureShape& input) {
  const QuantizationPlan plan;
  return build_net(name, {.input = input, .classes = 10, .width = 0.25, .plan = plan});
}

TEST(Interchange, EveryNetComesBackBitForBit) {
  const TemporaryFolder folder;
  for (const NetInfo& info : nets()) {
    SCOPED_TRACE(info.name);
    const PictureShape input{std::max<std::size_t>(info.min_size, 32),
                             std::max<std::size_t>(info.min_size, 32), 3};
    const std::string name(info.name), path = folder / "w";
    const auto net = build(name, input), other = build(name, input);
    randomize(*net, 1);
    randomize(*other, 1000);
    write_bytes(path, torch_file_bytes(*net, {name}));
    const ImportSummary summary = import_torch_file(path, *other, {name}, MissingValues::Refuse);
    EXPECT_TRUE(bits_of_net(*other) == bits_of_net(*net));
    EXPECT_EQ(summary.taken, bits_of_net(*net).size());
    std::set<std::string> names;
    for (const TorchTensor& tensor : torch_view(*net, {name}).tensors)
      EXPECT_TRUE(names.insert(tensor.name).second);
  }
}

TEST(Interchange, LayoutsAreThoseOfPyTorch) {
  Sequential net;
  net.emplace<Conv2d>("conv", Conv2dOptions{.in_channels = 3, .out_channels = 2, .kernel = 2, .pad = 0});
  net.emplace<BatchNorm>("bn", BatchNormModuleOptions{.channels = 2});
  net.emplace<Relu>("relu");
  net.emplace<Flatten>("flatten");
  net.emplace<Linear>("fc", LinearOptions{.in_features = 2 * 3 * 4, .out_features = 5});
  randomize(net, 7);
  const std::vector<std::byte> bytes = torch_file_bytes(net, {"some-net"});
  const auto file = engine::parse_safetensors(bytes);
  ASSERT_TRUE(file.ok()) << file.status().message();
  std::map<std::string, engine::TensorView> tensors;
  for (const auto& entry : file->tensors) tensors[entry.name] = entry.tensor;
  ASSERT_EQ(tensors.size(), 8U);
  EXPECT_EQ(tensors.at("bn.num_batches_tracked").dtype, engine::DType::I64);
  EXPECT_TRUE(tensors.at("bn.weight").shape == std::vector<std::size_t>{2});
  const auto value = [&](const std::string& name, std::size_t at) {
    float v = 0;
    std::memcpy(&v, tensors.at(name).bytes.data() + at * sizeof(float), sizeof(float));
    return v;
  };
  const auto parameters = named_parameters(net);
  const float* conv = parameters[0].parameter->variable.value().data();  // [2][2][2][3]
  EXPECT_EQ(tensors.at("conv.weight").shape, (std::vector<std::size_t>{2, 3, 2, 2}));
  for (std::size_t o = 0; o < 2; ++o)
    for (std::size_t y = 0; y < 2; ++y)
      for (std::size_t x = 0; x < 2; ++x)
        for (std::size_t i = 0; i < 3; ++i)
          EXPECT_EQ(value("conv.weight", ((o * 3 + i) * 2 + y) * 2 + x), conv[((o * 2 + y) * 2 + x) * 3 + i]);
  const auto fc =
      std::find_if(parameters.begin(), parameters.end(), [](const auto& p) { return p.name == "fc.weight"; });
  const float* linear = fc->parameter->variable.value().data();  // [5][3][4][2]
  for (std::size_t o = 0; o < 5; ++o)
    for (std::size_t pixel = 0; pixel < 12; ++pixel)
      for (std::size_t c = 0; c < 2; ++c)
        EXPECT_EQ(value("fc.weight", o * 24 + c * 12 + pixel), linear[o * 24 + pixel * 2 + c]);
}

/// Layout and flattened channels of the layer's weights.
std::pair<TorchLayout, std::size_t> layout_of(Module& net, const std::string& name, std::size_t picture = 3) {
  for (const TorchTensor& tensor : torch_view(net, {"some-net", picture}).tensors) {
    if (tensor.name == name + ".weight") return {tensor.layout, tensor.channels};
  }
  throw std::runtime_error("no weights of " + name);
}
using Layout = std::pair<TorchLayout, std::size_t>;

TEST(Interchange, FlattenedChannelsAreFoundBehindAnyLayer) {
  Sequential perceptron;
  perceptron.emplace<Flatten>("flatten");
  perceptron.emplace<Linear>("fc1", LinearOptions{.in_features = 24, .out_features = 5});
  perceptron.emplace<Relu>("relu");
  perceptron.emplace<Linear>("fc2", LinearOptions{.in_features = 5, .out_features = 4});
  EXPECT_EQ(layout_of(perceptron, "fc1"), Layout(TorchLayout::LinearOnPicture, 3));
  EXPECT_EQ(layout_of(perceptron, "fc1", 1), Layout(TorchLayout::LinearOnPicture, 1));
  EXPECT_EQ(layout_of(perceptron, "fc2"), Layout(TorchLayout::Same, 0));

  Sequential padded;
  padded.emplace<Conv2d>("conv", Conv2dOptions{.in_channels = 3, .out_channels = 16});
  padded.emplace<ZeroChannelShortcut>("zeros", ShortcutOptions{.front = 5, .back = 11});
  padded.emplace<Flatten>("flatten");
  padded.emplace<Linear>("fc", LinearOptions{.in_features = 32 * 4, .out_features = 5});
  EXPECT_EQ(layout_of(padded, "fc"), Layout(TorchLayout::LinearOnPicture, 32));

  const auto read = [](const std::string& layers) {
    const TemporaryFolder folder;
    write_file_text(folder / "net.json", "{\"layers\": [" + layers + "]}");
    return build_net(
        read_net_file(folder / "net.json"),
        {.input = {8, 8, 3}, .classes = 10, .width = 1.0, .plan = make_plan(resolve_method({"float"}))});
  };
  const auto residual = read(R"({"type": "conv", "name": "first", "channels": 8, "place": "first"},
    {"type": "residual", "name": "block", "branch": [{"type": "conv", "name": "inner", "channels": 8}]},
    {"type": "average_pool", "kernel": 4, "stride": 4}, {"type": "flatten"},
    {"type": "linear", "name": "fc", "features": "classes", "place": "last"})");
  EXPECT_EQ(layout_of(*residual, "fc"), Layout(TorchLayout::LinearOnPicture, 8));
  const auto ways = read(R"({"type": "branches", "name": "ways", "ways": [
    {"name": "a", "layers": [{"type": "conv", "name": "first", "channels": 8, "place": "first"}, {"type": "flatten"}]},
    {"name": "b", "layers": [{"type": "conv", "name": "second", "channels": 4, "place": "first"}, {"type": "flatten"}]}]},
    {"type": "linear", "name": "fc", "features": "classes", "place": "last"})");
  EXPECT_NE(message_of<std::invalid_argument>([&] {
              (void)layout_of(*ways, "fc");
            }).find("layer 'fc' reads flattened parts that are joined or added in 'ways"),
            std::string::npos);
}

TEST(Interchange, AFlattenedPictureThatIsAddedToFeaturesIsRefused) {
  const TemporaryFolder folder;
  write_file_text(folder / "net.json", R"({"layers": [{"type": "flatten"},
    {"type": "residual", "name": "block", "branch": [{"type": "linear", "name": "inner", "features": 12}]},
    {"type": "linear", "name": "fc", "features": "classes", "place": "last"}]})");
  const auto net = build_net(
      read_net_file(folder / "net.json"),
      {.input = {2, 2, 3}, .classes = 10, .width = 1.0, .plan = make_plan(resolve_method({"float"}))});
  EXPECT_NE(message_of<std::invalid_argument>([&] { (void)layout_of(*net, "fc"); }).find("added in 'block"),
            std::string::npos);
}

/// Where padding counts, a constant in front of an average is less at the border behind it.
TEST(Interchange, ABiasDoesNotPassAnAverageOfPadding) {
  for (const auto& [padding, pad, folded] : {std::tuple{PoolPadding::Included, 1U, false},
                                             {PoolPadding::Excluded, 1U, true},
                                             {PoolPadding::Included, 0U, true}}) {
    Sequential net;
    net.emplace<Conv2d>("conv", Conv2dOptions{.in_channels = 3, .out_channels = 4});
    net.emplace<AveragePool>("pool", PoolOptions{.kernel = 3, .stride = 1, .pad = pad, .padding = padding});
    net.emplace<BatchNorm>("bn", BatchNormModuleOptions{.channels = 4});
    EXPECT_EQ(!torch_view(net, {"some-net"}).folded.empty(), folded) << pad;
  }
}

/// Copies the container with changes.
std::vector<std::byte> changed(const std::vector<std::byte>& bytes,
                               const std::function<void(engine::Container&)>& change) {
  auto container = engine::parse_safetensors(bytes);
  change(container.value());
  return engine::serialize_safetensors(container.value()).value();
}

TEST(Interchange, OneMessageListsAllThatDoesNotFit) {
  const TemporaryFolder folder;
  const auto net = build("cnn-small", {28, 28, 1});
  static constexpr std::array<float, 3> kThree{};
  const engine::TensorView three{
      .dtype = engine::DType::F32, .shape = {3}, .bytes = std::as_bytes(std::span(kThree))};
  write_bytes(folder / "w", changed(torch_file_bytes(*net, {"cnn-small"}), [&](engine::Container& c) {
                std::erase_if(c.tensors, [](const auto& t) {
                  return t.name == "conv2.weight" || t.name == "bn4.running_var";
                });
                for (auto& t : c.tensors) {
                  if (t.name == "bn1.weight") t.tensor = three;
                }
                c.tensors.push_back({.name = "head.weight", .tensor = three});
              }));
  const auto before = bits_of_net(*net);
  const auto message = message_of<cli::CommandError>(
      [&] { (void)import_torch_file(folder / "w", *net, {"cnn-small"}, MissingValues::Refuse); });
  for (const char* part : {"does not fit net 'cnn-small'", "missing 2: conv2.weight, bn4.running_var",
                           "of another shape 1: bn1.weight [3] F32 (wanted [4])",
                           "not of this net 1: head.weight", "--init-missing keep"}) {
    EXPECT_NE(message.find(part), std::string::npos) << part << " in " << message;
  }
  EXPECT_EQ(bits_of_net(*net), before) << "a refused file changes nothing";
  const ImportSummary kept = import_torch_file(folder / "w", *net, {"cnn-small"}, MissingValues::Keep);
  EXPECT_EQ(kept.kept.size(), 3U);
  EXPECT_EQ(kept.unused, std::vector<std::string>{"head.weight"});
}

TEST(Interchange, NumbersThatNoNetCanHaveAreRefused) {
  const TemporaryFolder folder;
  const auto net = build("cnn-small", {28, 28, 1});
  const auto refused = [&](const std::string& tensor, const auto& values) {
    const engine::DType type = sizeof(values[0]) == sizeof(double) ? engine::DType::F64 : engine::DType::F32;
    write_bytes(folder / "w", changed(torch_file_bytes(*net, {"cnn-small"}), [&](engine::Container& c) {
                  for (auto& t : c.tensors) {
                    if (t.name == tensor)
                      t.tensor = {
                          .dtype = type, .shape = t.tensor.shape, .bytes = std::as_bytes(std::span(values))};
                  }
                }));
    const auto before = bits_of_net(*net);
    const auto message = message_of<cli::CommandError>(
        [&] { (void)import_torch_file(folder / "w", *net, {"cnn-small"}, MissingValues::Keep); });
    EXPECT_EQ(bits_of_net(*net), before) << "a refused file changes nothing";
    return message;
  };
  const auto expect_said = [&](const std::string& message, const char* part) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  std::array<float, 4> floats{};
  floats[2] = std::numeric_limits<float>::quiet_NaN();
  expect_said(refused("bn1.weight", floats), "tensor 'bn1.weight' holds nan at element 2");
  floats[2] = -1;
  expect_said(refused("bn1.running_var", floats), "tensor 'bn1.running_var' holds -1 at element 2");
  std::array<double, 4> doubles{};
  doubles[3] = 1e300;
  expect_said(refused("bn1.bias", doubles), "tensor 'bn1.bias' holds inf at element 3");
}

/// Of any method: values of its quantizers are its own, and so are the norms that it wants without scale and
/// shift.
TEST(Interchange, AFloatNetIsAStartForEveryMethod) {
  const TemporaryFolder folder;
  const PictureShape input{32, 32, 3};
  for (const std::string net : {"cnn-small", "resnet-20"}) {
    const auto from = build(net, input);
    randomize(*from, 1);
    write_bytes(folder / "w", torch_file_bytes(*from, {net}));
    const auto wanted = bits_of_net(*from);
    for (const MethodInfo& method : methods()) {
      if (method.start == MethodStart::FloatNet) continue;
      SCOPED_TRACE(net + " " + std::string(method.name));
      const QuantizationPlan plan = make_plan(resolve_method({.method = std::string(method.name),
                                                              .wbits = method.defaults.wbits,
                                                              .abits = method.defaults.abits}));
      const auto to = build_net(net, {.input = input, .classes = 10, .width = 0.25, .plan = plan});
      const auto before = bits_of_net(*to);
      const ImportSummary summary = import_torch_file(folder / "w", *to, {net}, MissingValues::Refuse);
      EXPECT_TRUE(summary.kept.empty());
      std::size_t taken = 0;
      for (const auto& [name, bits] : bits_of_net(*to)) {
        const auto found = wanted.find(name);
        taken += found == wanted.end() ? 0 : 1;
        EXPECT_TRUE(bits == (found == wanted.end() ? before.at(name) : found->second)) << name;
      }
      EXPECT_EQ(summary.taken, taken);
    }
  }
}

TEST(Interchange, ABiasInFrontOfANormMovesItsMean) {
  const TemporaryFolder folder;
  const auto net = build("cnn-small", {28, 28, 1});
  randomize(*net, 3);
  static constexpr std::array<float, 4> kBias{0.5F, -1.0F, 2.0F, 0.25F};
  write_bytes(folder / "w", changed(torch_file_bytes(*net, {"cnn-small"}), [&](engine::Container& c) {
                c.tensors.push_back({.name = "conv1.bias",
                                     .tensor = {.dtype = engine::DType::F32,
                                                .shape = {4},
                                                .bytes = std::as_bytes(std::span(kBias))}});
              }));
  std::vector<float> before;
  Tensor* mean = nullptr;
  for (const NamedBuffer& b : named_buffers(*net)) {
    if (b.name == "bn1.running_mean") mean = b.buffer;
  }
  before.assign(mean->values().begin(), mean->values().end());
  (void)import_torch_file(folder / "w", *net, {"cnn-small"}, MissingValues::Refuse);
  for (std::size_t c = 0; c < 4; ++c) EXPECT_EQ(mean->data()[c], before[c] - kBias[c]);
}

TEST(Interchange, TheCommandsWriteAndReadThem) {
  const TemporaryFolder folder;
  write_small_dataset(folder);
  ASSERT_EQ(run(folder, train_arguments(folder, "a", {"--ema", "0.9"})).code, 0);
  const Finished exported = run(folder, {"export", folder / "a", "--torch-names", folder / "w"});
  ASSERT_EQ(exported.code, 0) << exported.err;
  const Finished imported = run(
      folder, {"import", folder / "w", "--data-dir", folder / "", "--threads", "1", "--out", folder / "b"});
  ASSERT_EQ(imported.code, 0) << imported.err;
  const Finished again = run(folder, {"export", folder / "b", "--torch-names", folder / "w2"});
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_TRUE(read_file_bytes(folder / "w") == read_file_bytes(folder / "w2"));
  const Finished quantized =
      run(folder, train_arguments(folder, "d", {"--init-from", folder / "w", "--method", "lq-nets"}));
  EXPECT_EQ(quantized.code, 0) << quantized.err;
  const Finished refused =
      run(folder, train_arguments(folder, "c", {"--init-from", folder / "w", "--net", "resnet-20"}));
  EXPECT_EQ(refused.code, 3) << refused.err;
  EXPECT_NE(refused.err.find("does not fit net 'resnet-20'"), std::string::npos) << refused.err;
  EXPECT_FALSE(std::filesystem::exists(folder / "c"));
}

}  // namespace
}  // namespace bitplane::train::testing
