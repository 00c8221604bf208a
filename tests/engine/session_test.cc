// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <numeric>
#include <thread>

#include "bitplane/engine.h"
#include "bitplane/kernels/registry.h"
#include "engine/reference/interpreter.h"
#include "engine/reference/specs.h"

namespace bitplane::engine {
namespace {

Model make_model(const ModelSpec& spec) {
  Result<Model> model = Model::from_spec(spec);
  EXPECT_TRUE(model.ok()) << model.status().message();
  return std::move(model).value();
}

Session make_session(const Model& model, const SessionOptions& options = {}) {
  Result<Session> session = Session::create(model, options);
  EXPECT_TRUE(session.ok()) << session.status().message();
  return std::move(session).value();
}

std::vector<float> output_of(const Model& model, const SessionOptions& options) {
  Session session = make_session(model, options);
  EXPECT_TRUE(session.run(reference::pictures(model.spec(), options.batch)).ok());
  return {session.output().begin(), session.output().end()};
}

/// small_net() with the oracle's output as its golden pair.
ModelSpec golden_net() {
  ModelSpec spec = reference::small_net();
  spec.golden.input = reference::pictures(spec, 1);
  spec.golden.output =
      reference::interpret(spec, reference::preprocess(spec.input, spec.golden.input)).at(spec.output).values;
  return spec;
}

class TemporaryFile {
 public:
  TemporaryFile() : path_(std::filesystem::temp_directory_path() / unique_name()) {}
  ~TemporaryFile() { std::filesystem::remove(path_); }
  [[nodiscard]] std::string path() const { return path_.string(); }

 private:
  static std::string unique_name() {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    return std::string("bitplane_session_") + test->name() + "_" +
           std::to_string(::testing::UnitTest::GetInstance()->random_seed()) + "_" +
           std::to_string(std::hash<std::thread::id>{}(std::this_thread::get_id())) + ".safetensors";
  }
  std::filesystem::path path_;
};

TEST(Model, LoadsWhatWasWritten) {
  const ModelSpec spec = golden_net();
  const TemporaryFile file;
  ASSERT_TRUE(write_model(file.path(), spec).ok());
  Result<Model> model = Model::load(file.path());
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_EQ(model->file_bytes(), std::filesystem::file_size(file.path()));
  EXPECT_EQ(model->spec(), spec);
  EXPECT_EQ(model->output_size(), 3U);
  EXPECT_EQ(model->input().height, 8U);
  ASSERT_EQ(model->labels().size(), 3U);
  EXPECT_EQ(model->labels()[1], "dog");
  EXPECT_TRUE(self_test(model.value()).ok());
}

TEST(Model, LoadSaysWhatIsWrong) {
  const auto missing = Model::load(std::string("/nowhere/net.safetensors"));
  EXPECT_EQ(missing.status().code(), StatusCode::NotFound);
  EXPECT_NE(missing.status().message().find("/nowhere/net.safetensors"), std::string::npos);
  const Result<std::vector<std::byte>> bytes = serialize_model(reference::small_net());
  ASSERT_TRUE(bytes.ok());
  EXPECT_TRUE(Model::load(bytes.value()).ok());
  const auto large = Model::load(bytes.value(), {.max_bytes = bytes.value().size() - 1});
  EXPECT_EQ(large.status().code(), StatusCode::InvalidFile);
  const std::span<const std::byte> cut(bytes.value().data(), bytes.value().size() - 1);
  EXPECT_EQ(Model::load(cut).status().code(), StatusCode::InvalidFile);
}

TEST(Session, ResultsDoNotDependOnThreadsBatchOrInstructionSet) {
  const Model model = make_model(reference::small_net());
  const std::vector<float> expected = output_of(model, {.batch = 4});
  for (const std::size_t threads : {2, 3, 7})
    EXPECT_EQ(output_of(model, {.batch = 4, .threads = threads}), expected);
  EXPECT_EQ(output_of(model, {.batch = 4, .isa = "scalar"}), expected);

  Session one = make_session(model);
  const std::vector<std::uint8_t> pictures = reference::pictures(model.spec(), 4);
  for (std::size_t n = 0; n < 4; ++n) {
    ASSERT_TRUE(one.run(std::span(pictures).subspan(n * 64, 64)).ok());
    EXPECT_TRUE(std::equal(one.output().begin(), one.output().end(),
                           expected.begin() + static_cast<std::ptrdiff_t>(n * 3)));
  }
}

TEST(Session, BadOptionsAreRefused) {
  const Model model = make_model(reference::small_net());
  const auto code = [&](const SessionOptions& options) {
    return Session::create(model, options).status().code();
  };
  EXPECT_EQ(code({.batch = 0}), StatusCode::InvalidArgument);
  EXPECT_EQ(code({.threads = 0}), StatusCode::InvalidArgument);
  EXPECT_EQ(code({.threads = 100000}), StatusCode::InvalidArgument);
  EXPECT_EQ(code({.batch = std::numeric_limits<std::size_t>::max() / 2}), StatusCode::OutOfMemory);
  const Result<Session> unknown = Session::create(model, {.isa = "sse9"});
  EXPECT_EQ(unknown.status().code(), StatusCode::InvalidArgument);
  EXPECT_NE(unknown.status().message().find("sse9"), std::string::npos);
  EXPECT_NE(unknown.status().message().find("scalar"), std::string::npos);
}

/// 2^54 bytes and some for each of 2^10 threads: in 64 bits the product is what is left, and few.
TEST(Session, ScratchBeyondAllMemoryIsRefused) {
  constexpr std::size_t kMany = (std::size_t{1} << 20) - 1;
  Quantize bytes{.bits = 8,
                 .basis = UniformBasis{{0.1F}},
                 .thresholds = std::vector<float>(255, 0.0F),
                 .code_of_rank = std::vector<std::uint8_t>(256)};
  std::iota(bytes.code_of_rank.begin(), bytes.code_of_rank.end(), std::uint8_t{0});
  Conv2d conv{.out_channels = 2,
              .kernel_w = 2,
              .stride_h = kMany,
              .stride_w = kMany,
              .pad_w = kMany,
              .groups = 2,
              .weights = reference::plane_weights(2, 66),
              .bias = {}};
  const Model model =
      make_model(reference::SpecBuilder(1, 2, 66).add("quant", bytes).add("conv", std::move(conv)).spec());
  const auto call_each = [](void*, std::size_t tasks, void (*task)(void*, std::size_t) noexcept,
                            void* context) noexcept {
    for (std::size_t i = 0; i < tasks; ++i) task(context, i);
  };
  const SessionOptions options{.threads = 1024, .executor = {call_each, nullptr}, .family = "bitserial"};
  EXPECT_EQ(Session::create(model, options).status().code(), StatusCode::OutOfMemory);
}

/// A convolution of one row whose padding is as wide as its kernel, on codes with an offset: every output
/// pixel sees other taps. To count all of them for each took minutes, in a file of some kilobytes.
void expect_packed_soon(std::size_t picture_width, std::size_t kernel_width, std::size_t channels) {
  Quantize offset = reference::quantize();
  offset.offset = 0.5F;
  Conv2d conv{.out_channels = channels,
              .kernel_w = kernel_width,
              .pad_w = kernel_width - 1,
              .weights = reference::plane_weights(channels, kernel_width),
              .bias = {}};
  const Model model = make_model(
      reference::SpecBuilder(1, picture_width, 1).add("quant", offset).add("conv", std::move(conv)).spec());
  const auto start = std::chrono::steady_clock::now();
  const Session session = make_session(model, {.family = "bitserial"});
  EXPECT_EQ(session.output().size(), channels * (picture_width + kernel_width - 1));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST(Session, AKernelInItsPaddingIsPackedSoon) {
  expect_packed_soon(1, std::size_t{1} << 17, 1);
}

/// Each border class has as many taps inside as it is wide.
TEST(Session, AKernelAsWideAsItsPictureIsPackedSoon) {
  expect_packed_soon(std::size_t{1} << 15, std::size_t{1} << 15, 4);
}

TEST(Session, InputsOfTheWrongSizeAreRefused) {
  Session session = make_session(make_model(reference::small_net()), {.batch = 2});
  EXPECT_EQ(session.run(std::vector<std::uint8_t>(64)).code(), StatusCode::InvalidArgument);
  EXPECT_EQ(session.run(std::vector<std::uint8_t>()).code(), StatusCode::InvalidArgument);
  EXPECT_EQ(session.run(std::vector<float>(129)).code(), StatusCode::InvalidArgument);
  EXPECT_TRUE(session.run(std::vector<std::uint8_t>(128)).ok());
}

TEST(Session, CodesAreThoseOfTheLastRun) {
  const Model model = make_model(reference::small_net());
  Session session = make_session(model, {.batch = 2, .capture_codes = true});
  ASSERT_EQ(session.quantizers().size(), 2U);
  EXPECT_EQ(session.quantizers()[1], "quant2");
  EXPECT_EQ(session.codes_shape(1).height, 4U);
  EXPECT_EQ(session.codes_shape(1).channels, 12U);
  EXPECT_EQ(session.codes(1).size(), 2U * 4 * 4 * 12);
  ASSERT_TRUE(session.run(reference::pictures(model.spec(), 2)).ok());
  const std::vector<std::uint8_t> first(session.codes(0).begin(), session.codes(0).end());
  ASSERT_TRUE(session.run(std::vector<std::uint8_t>(128, 255)).ok());
  EXPECT_FALSE(std::equal(first.begin(), first.end(), session.codes(0).begin()));
  EXPECT_TRUE(make_session(model).codes(0).empty());
  EXPECT_TRUE(session.codes(2).empty()) << "there are two quantizers";
  EXPECT_EQ(session.codes_shape(2).channels, 0U);
}

TEST(Session, StepsDescribeThePlan) {
  const Model model = make_model(reference::small_net());
  Session session = make_session(model);
  std::vector<std::string> names;
  for (const StepInfo& step : session.steps()) names.push_back(step.name);
  EXPECT_EQ(names, (std::vector<std::string>{"input", "conv1+bn1+relu1+quant1", "conv2+bn2+relu2+quant2",
                                             "pool2", "quant2", "conv3+bn3+relu3", "gap", "fc"}));
  const StepInfo& conv2 = session.steps()[2];
  EXPECT_EQ(conv2.op, "conv2d");
  const auto registered = [&](const kernels::KernelInfo& info) { return info.name == conv2.kernel; };
  const auto kernel = std::find_if(kernels::registry().begin(), kernels::registry().end(), registered);
  ASSERT_NE(kernel, kernels::registry().end()) << conv2.kernel;
  EXPECT_EQ(conv2.isa, kernels::isa_name(kernel->isa));
  EXPECT_TRUE(kernels::detect_cpu().has(kernel->isa));
  EXPECT_NE(conv2.kernel.find(conv2.isa), std::string::npos) << conv2.kernel;
  EXPECT_EQ(conv2.weight_bits, 2U);
  EXPECT_EQ(conv2.activation_bits, 2U);
  EXPECT_EQ(conv2.out_bits, 2U);
  EXPECT_EQ(conv2.macs, 8U * 8 * 12 * 72);
  EXPECT_EQ(conv2.bit_operations, conv2.macs * 4);
  EXPECT_EQ(session.steps()[1].weight_bits, 32U);
  EXPECT_EQ(session.steps()[1].bit_operations, 0U);
  const std::size_t planes = 2 * 12 * 2 * 8, scale = 4, bn = 4 * 12 * 4, quantizer = 4 + 3 * 4 + 4;
  EXPECT_EQ(conv2.parameter_bytes, planes + scale + bn + quantizer);
  EXPECT_EQ(session.step_nanoseconds().size(), session.steps().size());
  EXPECT_GT(session.memory_bytes(), 0U);
}

TEST(Session, TimesAreOfTheLastRun) {
  const Model model = make_model(reference::small_net());
  Session session = make_session(model);
  ASSERT_TRUE(session.run(reference::pictures(model.spec(), 1)).ok());
  const auto times = session.step_nanoseconds();
  EXPECT_GT(std::accumulate(times.begin(), times.end(), std::uint64_t{0}), 0U);
  ASSERT_TRUE(session.run(std::vector<float>(64)).ok());
  EXPECT_EQ(times[0], 0U) << "floats need no preprocessing";
}

TEST(Session, SessionsOfOneModelRunAtTheSameTime) {
  const Model model = make_model(reference::small_net());
  const std::vector<float> expected = output_of(model, {.batch = 2});
  std::vector<std::vector<float>> outputs(4);
  std::vector<std::thread> threads;
  for (std::vector<float>& output : outputs) {
    threads.emplace_back([&] { output = output_of(model, {.batch = 2, .threads = 2}); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::vector<float>& output : outputs) EXPECT_EQ(output, expected);
}

TEST(Session, OutlivesTheModelAndMoves) {
  Session session = make_session(make_model(reference::small_net()));
  Session moved = std::move(session);
  EXPECT_TRUE(moved.run(std::vector<std::uint8_t>(64, 9)).ok());
  Session other = make_session(make_model(reference::small_net()));
  other = std::move(moved);
  EXPECT_TRUE(other.run(std::vector<std::uint8_t>(64, 9)).ok());
}

TEST(SelfTest, ComparesBitForBit) {
  ModelSpec spec = golden_net();
  EXPECT_TRUE(self_test(make_model(spec)).ok());
  EXPECT_TRUE(self_test(make_model(reference::small_net())).ok()) << "a file without a golden pair passes";
  spec.golden.output[1] = std::bit_cast<float>(std::bit_cast<std::uint32_t>(spec.golden.output[1]) ^ 1U);
  const Status status = self_test(make_model(spec));
  EXPECT_EQ(status.code(), StatusCode::InvalidFile);
  EXPECT_NE(status.message().find("output 1"), std::string::npos) << status.message();
  const std::size_t is = status.message().find(" is ") + 4, says = status.message().find(" says ") + 6;
  EXPECT_NE(std::stof(status.message().substr(is)), std::stof(status.message().substr(says)))
      << "two numbers that differ look different: " << status.message();
}

}  // namespace
}  // namespace bitplane::engine
