// SPDX-License-Identifier: Apache-2.0
//
// Layers of plane weights on the picture itself: the file, the rules, and the sums by definition.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "bitplane/engine.h"
#include "bitplane/kernels/isa.h"
#include "bitplane/model_spec.h"
#include "engine/reference/interpreter.h"
#include "engine/sample_model.h"

namespace bitplane::engine {
namespace {

constexpr std::size_t kHeight = 9, kWidth = 7, kChannels = 4, kOut = 6, kGroups = 2, kKernel = 3, kStride = 2;
constexpr std::size_t kK = kKernel * kKernel * kChannels / kGroups, kOutHeight = 5, kOutWidth = 4;
constexpr int kZero[kChannels] = {0, 17, 128, 255};

std::int8_t weight(std::size_t o, std::size_t k) {
  return static_cast<std::int8_t>((o * 37 + k * 101) % 255 - 127);
}

PlaneWeights byte_weights() {
  PlaneWeights w;
  w.encoding = PlaneEncoding::TwosComplement;
  w.planes = {.planes = 8, .rows = kOut, .k = kK, .words = std::vector<std::uint64_t>(8 * kOut)};
  UniformBasis basis;
  for (std::size_t o = 0; o < kOut; ++o) {
    basis.scale.push_back(0.001F * static_cast<float>(o));  // the first channel is all zeros to the output
    for (std::size_t k = 0; k < kK; ++k) {
      const auto code = static_cast<std::uint8_t>(weight(o, k));
      for (std::size_t i = 0; i < 8; ++i)
        w.planes.words[i * kOut + o] |= std::uint64_t{static_cast<unsigned>(code) >> i & 1U} << k;
    }
  }
  w.basis = basis;
  return w;
}

ModelSpec byte_model() {
  ModelSpec spec;
  spec.name = "bytes";
  spec.input = {.height = kHeight, .width = kWidth, .channels = kChannels, .mean = {}, .std = {}};
  for (const int zero : kZero) {
    spec.input.mean.push_back(static_cast<float>(zero / 255.0));
    spec.input.std.push_back(0.25F);
  }
  Conv2d conv{.out_channels = kOut,
              .kernel_h = kKernel,
              .kernel_w = kKernel,
              .stride_h = kStride,
              .stride_w = kStride,
              .pad_h = 1,
              .pad_w = 1,
              .groups = kGroups,
              .weights = byte_weights(),
              .bias = std::vector<float>(kOut, 0.125F)};
  spec.nodes.push_back({"conv", {"input"}, std::move(conv)});
  spec.output = "conv";
  return spec;
}

std::vector<std::uint8_t> picture() {
  std::vector<std::uint8_t> bytes(kHeight * kWidth * kChannels);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 97 + i / 3);
  return bytes;
}

std::int32_t sum_at(const std::vector<std::uint8_t>& u, std::size_t y, std::size_t x, std::size_t o) {
  const std::size_t inputs = kChannels / kGroups, group = o / (kOut / kGroups);
  std::int32_t sum = 0;
  for (std::size_t k = 0; k < kK; ++k) {
    const std::size_t c = group * inputs + k % inputs, tap = k / inputs;
    const std::size_t row = y * kStride + tap / kKernel, column = x * kStride + tap % kKernel;
    if (row < 1 || row > kHeight || column < 1 || column > kWidth) continue;
    sum += weight(o, k) * (u[((row - 1) * kWidth + column - 1) * kChannels + c] - kZero[c]);
  }
  return sum;
}

TEST(PictureBytes, TheSumsByDefinitionOnEveryIsa) {
  const std::vector<std::uint8_t> u = picture();
  const auto model = Model::from_spec(byte_model());
  ASSERT_TRUE(model.ok()) << model.status().message();
  for (const kernels::IsaInfo& isa : kernels::kIsas) {
    if (!kernels::detect_cpu().has(isa.isa)) continue;
    SCOPED_TRACE(std::string(isa.name));
    auto session = Session::create(model.value(), {.threads = 2, .isa = std::string(isa.name)});
    ASSERT_TRUE(session.ok()) << session.status().message();
    ASSERT_EQ(session->steps().size(), 1U);  // nothing preprocesses
    EXPECT_EQ(session->steps()[0].activation_bits, 8U);
    EXPECT_EQ(session->steps()[0].weight_bits, 8U);
    ASSERT_TRUE(session->run(u).ok());
    for (std::size_t i = 0; i < session->output().size(); ++i) {
      const std::size_t o = i % kOut, x = i / kOut % kOutWidth, y = i / kOut / kOutWidth;
      const auto z = static_cast<float>(sum_at(u, y, x, o));
      ASSERT_EQ(session->output()[i], std::fma(z, 0.001F * static_cast<float>(o), 0.125F)) << i;
    }
    const std::vector<float> floats(u.size());
    const Status refused = session->run(std::span<const float>(floats));
    EXPECT_EQ(refused.code(), StatusCode::Unsupported);
    EXPECT_NE(refused.message().find("uint8"), std::string::npos);
  }
}

float output_at(const std::vector<std::uint8_t>& u, std::size_t y, std::size_t x, std::size_t o) {
  const float t = std::fma(static_cast<float>(sum_at(u, y, x, o)), 0.001F * static_cast<float>(o), 0.125F);
  return std::max(t, 0.0F);
}

/// Of the outputs in one window of `pool`, inside the map.
float largest_output(const std::vector<std::uint8_t>& u, const MaxPool& pool, std::size_t y, std::size_t x,
                     std::size_t o) {
  float largest = 0.0F;
  for (std::size_t tap = 0; tap < pool.kernel_h * pool.kernel_w; ++tap) {
    const std::size_t row = y * pool.stride_h + tap / pool.kernel_w;
    const std::size_t column = x * pool.stride_w + tap % pool.kernel_w;
    if (row < pool.pad_h || row >= kOutHeight + pool.pad_h || column < pool.pad_w ||
        column >= kOutWidth + pool.pad_w)
      continue;
    largest = std::max(largest, output_at(u, row - pool.pad_h, column - pool.pad_w, o));
  }
  return largest;
}

/// A pooling behind the layer is one step with it: rows are pooled as they come.
void expect_pooled(const MaxPool& pool, std::size_t threads) {
  ModelSpec spec = byte_model();
  spec.nodes.push_back({"relu", {"conv"}, Relu{}});
  spec.nodes.push_back({"pool", {"relu"}, pool});
  spec.output = "pool";
  const auto model = Model::from_spec(spec);
  ASSERT_TRUE(model.ok()) << model.status().message();
  auto session = Session::create(model.value(), {.batch = 2, .threads = threads});
  ASSERT_TRUE(session.ok()) << session.status().message();
  ASSERT_EQ(session->steps().size(), 1U);
  EXPECT_LT(session->memory_bytes(), 1U << 20);  // no more rows are held than there are
  std::vector<std::uint8_t> other = picture(), both = other;
  std::reverse(other.begin(), other.end());
  both.insert(both.end(), other.begin(), other.end());
  ASSERT_TRUE(session->run(both).ok());
  const InputShape out = session->output_shape();
  const std::size_t size = out.height * out.width * out.channels;
  for (std::size_t i = 0; i < 2 * size; ++i) {
    const std::size_t o = i % kOut, x = i / kOut % out.width, y = i % size / kOut / out.width;
    ASSERT_EQ(session->output()[i], largest_output(i < size ? picture() : other, pool, y, x, o)) << i;
  }
}

TEST(PictureBytes, PooledRowByRow) {
  for (const MaxPool& pool :
       {MaxPool{.kernel_h = 3, .kernel_w = 3, .stride_h = 2, .stride_w = 2, .pad_h = 1, .pad_w = 1},
        MaxPool{.kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2},
        MaxPool{.kernel_h = 3, .kernel_w = 2, .stride_h = 1, .stride_w = 1},
        MaxPool{.kernel_h = 1, .kernel_w = 1, .stride_h = 3, .stride_w = 2},
        MaxPool{.kernel_h = 2, .kernel_w = 2, .stride_h = 1 << 20, .stride_w = 1},
        MaxPool{.kernel_h = 5, .kernel_w = 4, .stride_h = 3, .stride_w = 4, .pad_h = 2}}) {
    for (const std::size_t threads : {1U, 2U, 3U}) {
      SCOPED_TRACE("kernel " + std::to_string(pool.kernel_h) + ", stride " + std::to_string(pool.stride_h) +
                   ", " + std::to_string(threads) + " threads");
      expect_pooled(pool, threads);
    }
  }
}

TEST(PictureBytes, OneThresholdComparesTheIntegers) {
  ModelSpec spec = byte_model();
  spec.nodes.push_back({"quantize",
                        {"conv"},
                        Quantize{.bits = 1,
                                 .encoding = PlaneEncoding::Unsigned,
                                 .basis = UniformBasis{{1.0F}},
                                 .thresholds = {-3.5F},
                                 .code_of_rank = {1, 0}}});
  PlaneWeights last = testing::SampleMaker().planes(PlaneEncoding::Bipolar, 1, 3, kOut);
  last.basis = UniformBasis{{1.0F}};
  spec.nodes.push_back({"last", {"quantize"}, Conv2d{.out_channels = 3, .weights = last, .bias = {}}});
  spec.output = "last";
  const std::vector<std::uint8_t> u = picture();
  const auto model = Model::from_spec(spec);
  ASSERT_TRUE(model.ok()) << model.status().message();
  auto session = Session::create(model.value(), {.capture_codes = true});
  ASSERT_TRUE(session->run(u).ok());
  for (std::size_t i = 0; i < session->codes(0).size(); ++i) {
    const std::size_t o = i % kOut, x = i / kOut % kOutWidth, y = i / kOut / kOutWidth;
    const float t = std::fma(static_cast<float>(sum_at(u, y, x, o)), 0.001F * static_cast<float>(o), 0.125F);
    ASSERT_EQ(int{session->codes(0)[i]}, t > -3.5F ? 0 : 1) << i;
  }
}

TEST(PictureBytes, FloatsAreMadeForWhoReadsThem) {
  ModelSpec spec = byte_model();
  Conv2d beside = std::get<Conv2d>(spec.nodes[0].op);
  beside.weights = FloatWeights{std::vector<float>(kOut * kK, 0.25F)};
  spec.nodes.push_back({"beside", {"input"}, beside});
  spec.nodes.push_back({"sum", {"conv", "beside"}, Add{}});
  spec.output = "sum";
  const auto model = Model::from_spec(spec);
  ASSERT_TRUE(model.ok()) << model.status().message();
  auto session = Session::create(model.value(), {.isa = "scalar"});
  EXPECT_EQ(session->steps()[0].op, "preprocess");
  const std::vector<std::uint8_t> u = picture();
  ASSERT_TRUE(session->run(u).ok());
  const std::vector<float> floats(u.size());
  EXPECT_FALSE(session->run(std::span<const float>(floats)).ok());
}

/// The layer reads bytes, and its epilogue adds the floats.
TEST(PictureBytes, ThePictureIsAddedToItsOwnConvolution) {
  constexpr std::size_t kPixels = 20;
  ModelSpec spec = byte_model();
  spec.input = {.height = 4, .width = 5, .channels = 1, .mean = {0.2F}, .std = {0.25F}};
  PlaneWeights two{.planes = {.planes = 3, .rows = 1, .k = 1, .words = std::vector<std::uint64_t>{0, 1, 0}},
                   .encoding = PlaneEncoding::TwosComplement,
                   .basis = UniformBasis{{0.125F}},
                   .offset = {}};
  spec.nodes = {{"conv", {"input"}, Conv2d{.out_channels = 1, .weights = std::move(two), .bias = {}}},
                {"sum", {"conv", "input"}, Add{}}};
  spec.output = "sum";
  const auto model = Model::from_spec(spec);
  ASSERT_TRUE(model.ok()) << model.status().message();
  auto session = Session::create(model.value());
  ASSERT_TRUE(session.ok()) << session.status().message();
  EXPECT_EQ(session->steps().size(), 2U) << "the sum is in the epilogue, something preprocesses";
  std::vector<std::uint8_t> u = picture();
  u.resize(kPixels);
  ASSERT_TRUE(session->run(u).ok());
  const std::vector<float> x = reference::preprocess(spec.input, u);
  for (std::size_t i = 0; i < kPixels; ++i) {
    ASSERT_EQ(session->output()[i], 0.25F * static_cast<float>(int{u[i]} - 51) + x[i]) << i;
  }
}

TEST(PictureBytes, TheFileNeedsVersion2AndComesBack) {
  const ModelSpec spec = byte_model();
  const auto bytes = serialize_model(spec);
  ASSERT_TRUE(bytes.ok()) << bytes.status().message();
  const std::string text(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  EXPECT_NE(text.find("\"bitplane.format_version\":\"2\""), std::string::npos);
  const auto read = parse_model(bytes.value());
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(read.value(), spec);
}

TEST(PictureBytes, RulesOfTheFormat) {
  const auto refuses = [](auto change, const std::string& words) {
    ModelSpec spec = byte_model();
    change(spec, std::get<PlaneWeights>(std::get<Conv2d>(spec.nodes[0].op).weights));
    const auto shapes = validate(spec);
    ASSERT_FALSE(shapes.ok()) << words;
    EXPECT_NE(shapes.status().message().find(words), std::string::npos) << shapes.status().message();
  };
  refuses([](ModelSpec& s, PlaneWeights&) { s.input.mean[1] = 0.4914F; }, "bytes / 255; input.mean[1]");
  refuses([](ModelSpec& s, PlaneWeights&) { s.input.mean[0] = -0.1F; }, "bytes / 255; input.mean[0]");
  refuses([](ModelSpec&, PlaneWeights& w) { w.encoding = PlaneEncoding::Unsigned; }, "twos_complement");
  refuses([](ModelSpec&, PlaneWeights& w) { w.offset.assign(kOut, 0.0F); }, "offset");
  refuses(
      [](ModelSpec&, PlaneWeights& w) {
        w.planes.planes = 9;
        w.planes.words.own().resize(9 * kOut);
      },
      "at most 8 planes");
  // Behind an identity it is a picture of floats.
  refuses(
      [](ModelSpec& s, PlaneWeights&) {
        s.nodes.insert(s.nodes.begin(), Node{"same", {"input"}, Identity{}});
        s.nodes[1].inputs = {"same"};
      },
      "plane weights need codes");
}

}  // namespace
}  // namespace bitplane::engine
