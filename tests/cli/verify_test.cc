// SPDX-License-Identifier: Apache-2.0
//
// verify must pass what agrees and name what does not.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "bitplane/model_spec.h"
#include "cli/command.h"
#include "cli/small_model.h"

namespace bitplane::testing {
namespace {

class Verify : public ::testing::Test {
 protected:
  void SetUp() override {
    const engine::ModelSpec spec = small_spec_with_golden();
    ASSERT_TRUE(engine::write_model(model_, spec).ok());
    auto model = engine::Model::from_spec(spec);
    ASSERT_TRUE(model.ok());
    trace_ = agreeing_trace(model.value());
    ASSERT_EQ(trace_.header.layers.size(), 2U);
  }
  Outcome verify_trace() const {
    const std::string path = folder_.file("a.trace");
    const engine::Status written = engine::data::write_trace(path, trace_);
    EXPECT_TRUE(written.ok()) << written.message();
    return run_command({"verify", model_, "--trace", path});
  }

  TemporaryFolder folder_;
  std::string model_ = folder_.file("small.safetensors");
  engine::data::Trace trace_;
};

void expect_difference(const Outcome& outcome, const std::vector<std::string>& parts) {
  EXPECT_EQ(outcome.code, 1) << outcome.err;
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  for (const std::string& part : parts) expect_contains(outcome.err, part);
}

TEST_F(Verify, AgreementIsCounted) {
  const Outcome outcome = verify_trace();
  expect_success(outcome);
  for (const char* part :
       {"self-test   output equal", "predictions 2000/2000 equal", "logits      2000/2000 pictures equal",
        "codes       2000/2000 pictures equal in q1 (14x14x8)",
        "codes       2000/2000 pictures equal in q2 (7x7x17)"}) {
    expect_contains(outcome.out, part);
  }
}

TEST_F(Verify, WithoutATraceItChecksItself) {
  const Outcome text = run_command({"verify", model_});
  expect_success(text);
  expect_contains(text.out, "equal to scalar on scalar, 3 threads");
  const Outcome document = run_command({"verify", model_, "--json"});
  expect_success(document);
  const auto json = nlohmann::json::parse(document.out);
  EXPECT_EQ(json.at("passed"), true);
  EXPECT_EQ(json.at("self_test"), "passed");
  EXPECT_FALSE(json.contains("trace"));
}

TEST_F(Verify, TheFirstLayerPictureAndChannelAreNamed) {
  trace_.pictures[1234].digests[8 + 16] ^= 1;  // q2, channel 16
  trace_.pictures[1500].digests[3] ^= 1;       // q1 comes first in the graph
  trace_.pictures[1501].digests[2] ^= 1;
  const Outcome outcome = verify_trace();
  expect_difference(outcome, {"layer q1 (14x14x8), picture 1500, channel 3"});
  expect_contains(outcome.out, "codes       1998/2000 pictures equal in q1");
  expect_contains(outcome.out, "codes       1999/2000 pictures equal in q2");
  expect_contains(outcome.out, "logits      2000/2000 pictures equal");
}

/// Two ways with a quantizer each, that meet in a sum in front of a third one.
engine::ModelSpec branched_spec() {
  namespace e = bitplane::engine;
  e::testing::SampleMaker make;
  e::ModelSpec spec;
  spec.name = "branched";
  spec.input = {28, 28, 1, {0.5F}, {0.25F}};
  const auto low_bit = [&](const std::string& name, const std::string& input, std::size_t kernel) {
    e::PlaneWeights planes = make.planes(e::PlaneEncoding::Bipolar, 2, 8, kernel * kernel * 8);
    planes.basis = e::LearnedBasis{make.floats(16, 0.02F, 0.1F)};
    spec.nodes.push_back({name,
                          {input},
                          e::Conv2d{.out_channels = 8,
                                    .kernel_h = kernel,
                                    .kernel_w = kernel,
                                    .pad_h = kernel / 2,
                                    .pad_w = kernel / 2,
                                    .weights = std::move(planes),
                                    .bias = {}}});
  };
  const auto quantizer = [&](const std::string& name, const std::string& input) {
    spec.nodes.push_back(
        {name, {input}, make.quantize(2, e::PlaneEncoding::Unsigned, e::LearnedBasis{{0.45F, 0.9F}})});
  };
  e::testing::append(spec, "stem",
                     e::Conv2d{.out_channels = 8,
                               .kernel_h = 5,
                               .kernel_w = 5,
                               .stride_h = 4,
                               .stride_w = 4,
                               .weights = e::FloatWeights{make.floats(8 * 25, -0.3F, 0.3F)},
                               .bias = {}});
  quantizer("q-left", "stem");
  low_bit("left", "q-left", 3);
  quantizer("q-right", "stem");
  low_bit("right", "q-right", 1);
  spec.nodes.push_back({"sum", {"left", "right"}, e::Add{}});
  quantizer("q-sum", "sum");
  low_bit("last", "q-sum", 3);
  e::testing::append(spec, "pool", e::GlobalAveragePool{});
  e::testing::append(spec, "fc",
                     e::Linear{10, e::FloatWeights{make.floats(80, -1, 1)}, make.floats(10, -1, 1)});
  return spec;
}

TEST_F(Verify, TheFirstDifferenceOfABranchedNetIsNamedInTheOrderOfItsGraph) {
  const engine::ModelSpec spec = branched_spec();
  const engine::Status written = engine::write_model(model_, spec);
  ASSERT_TRUE(written.ok()) << written.message();
  auto model = engine::Model::from_spec(spec);
  ASSERT_TRUE(model.ok()) << model.status().message();
  trace_ = agreeing_trace(model.value());
  ASSERT_EQ(trace_.header.layers.size(), 3U);
  expect_contains(verify_trace().out, "codes       2000/2000 pictures equal in q-sum (6x6x8)");
  trace_.pictures[7].digests[2 * 8 + 1] ^= 1;   // q-sum
  trace_.pictures[99].digests[1 * 8 + 5] ^= 1;  // q-right
  const Outcome outcome = verify_trace();
  expect_difference(outcome, {"layer q-right (6x6x8), picture 99, channel 5"});
  expect_contains(outcome.out, "codes       2000/2000 pictures equal in q-left");
  expect_contains(outcome.out, "codes       1999/2000 pictures equal in q-sum");
}

TEST_F(Verify, OneBitOfOneLogitIsADifference) {
  float& logit = trace_.pictures[1999].logits[9];
  logit = std::nextafter(logit, 1e9F);
  const Outcome outcome = verify_trace();
  expect_difference(outcome, {"logits of picture 1999"});
  expect_contains(outcome.out, "logits      1999/2000");
}

TEST_F(Verify, AnotherPredictionIsCounted) {
  trace_.pictures[0].logits.assign(10, 0.0F);
  trace_.pictures[0].logits[0] = 1.0F;
  trace_.pictures[1].logits.assign(10, 0.0F);
  trace_.pictures[1].logits[1] = 1.0F;
  const Outcome outcome = verify_trace();
  expect_difference(outcome, {"logits of picture 0"});
  EXPECT_EQ(outcome.out.find("predictions 2000/2000"), std::string::npos) << outcome.out;
}

TEST_F(Verify, ATraceOfAnotherModelOrDataIsRefused) {
  const engine::data::Trace good = trace_;
  trace_.header.layers[1].name = "other";
  expect_refusal(verify_trace(), 3, {"other (7x7x17)", "q2 (7x7x17)", "trainer eval"});
  trace_ = good;
  trace_.pictures.pop_back();
  expect_refusal(verify_trace(), 3, {"1999", "2000"});
  trace_ = good;
  trace_.pictures[5].label = 9;
  expect_refusal(verify_trace(), 3, {"picture 5", "label"});
  trace_ = good;
  trace_.header.dataset = "synthetics";
  expect_refusal(verify_trace(), 2, {"did you mean 'synthetic'?"});
}

TEST_F(Verify, ABrokenTraceIsRefused) {
  ASSERT_TRUE(engine::data::write_trace(folder_.file("t"), trace_).ok());
  Bytes bytes = read_bytes(folder_.file("t"));
  bytes.resize(bytes.size() - 5);
  const std::string cut = folder_.write("cut.trace", bytes);
  expect_refusal(run_command({"verify", model_, "--trace", cut}), 3, {"cut.trace", "trainer eval"});
  expect_refusal(run_command({"verify", model_, "--trace", model_}), 3, {"no trace"});
  expect_refusal(run_command({"verify", model_, "--trace", folder_.file("none")}), 3, {"none"});
}

TEST_F(Verify, AWrongSelfTestFails) {
  engine::ModelSpec spec = small_spec_with_golden();
  spec.golden.output[4] = std::nextafter(spec.golden.output[4], 1e9F);
  ASSERT_TRUE(engine::write_model(model_, spec).ok());
  const Outcome text = run_command({"verify", model_});
  expect_difference(text, {"self-test", "output 4"});
  expect_contains(text.out, "self-test   failed on scalar");
  expect_contains(text.out, "drawn pictures equal to scalar");
  const Outcome document = run_command({"verify", model_, "--json"});
  expect_difference(document, {"self-test"});
  const auto json = nlohmann::json::parse(document.out);
  EXPECT_EQ(json.at("passed"), false);
  EXPECT_EQ(json.at("self_test"), "failed");
  expect_contains(json.at("first_difference").get<std::string>(), "output 4");
}

TEST_F(Verify, TheKernelsAndThreadsAskedForAreThoseChecked) {
  const Outcome outcome =
      run_command({"verify", model_, "--isa", "scalar", "--family", "bitserial", "--threads", "2", "--json"});
  expect_success(outcome);
  const auto json = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(json.at("isas"), nlohmann::json({"scalar"}));
  std::vector<std::string> variants;
  for (const auto& check : json.at("against_scalar")) variants.push_back(check.at("variant"));
  EXPECT_EQ(variants, (std::vector<std::string>{"scalar, bitserial", "scalar, bitserial, 2 threads"}));
  expect_refusal(run_command({"verify", model_, "--isa", "avx1024"}), 2, {"avx1024"});
  expect_refusal(run_command({"verify", model_, "--family", "bitparallel"}), 2, {"bitparallel", "bitserial"});
}

}  // namespace
}  // namespace bitplane::testing
