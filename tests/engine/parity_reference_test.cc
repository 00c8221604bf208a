// SPDX-License-Identifier: Apache-2.0
//
// The engine against the oracle, bit for bit: codes of every quantizer and the output, on every instruction
// set present, for 1, 2 and 3 threads, bytes and floats as input.
#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <set>

#include "bitplane/engine.h"
#include "bitplane/kernels/isa.h"
#include "bitplane/kernels/lowbit_conv.h"
#include "engine/reference/interpreter.h"
#include "engine/reference/random_dag.h"
#include "engine/reference/random_graph.h"

namespace bitplane::engine {
namespace {

constexpr std::size_t kBatch = 3;

struct Expected {
  std::vector<float> output;
  std::vector<std::vector<std::uint8_t>> codes;  ///< in the order of the quantize nodes
};

Expected expect(const ModelSpec& spec, std::span<const std::uint8_t> pictures) {
  Expected expected;
  const std::size_t size = pictures.size() / kBatch;
  for (std::size_t n = 0; n < kBatch; ++n) {
    const auto results =
        reference::interpret(spec, reference::preprocess(spec.input, pictures.subspan(n * size, size)));
    const std::vector<float>& output = results.at(spec.output).values;
    expected.output.insert(expected.output.end(), output.begin(), output.end());
    std::size_t q = 0;
    for (const Node& node : spec.nodes) {
      if (!std::holds_alternative<Quantize>(node.op)) continue;
      if (n == 0) expected.codes.emplace_back();
      const std::vector<std::uint8_t>& codes = results.at(node.name).codes;
      expected.codes[q].insert(expected.codes[q].end(), codes.begin(), codes.end());
      ++q;
    }
  }
  return expected;
}

std::vector<kernels::Isa> present_isas() {
  std::vector<kernels::Isa> isas;
  for (const kernels::IsaInfo& info : kernels::kIsas) {
    if (kernels::detect_cpu().has(info.isa)) isas.push_back(info.isa);
  }
  return isas;
}

/// Every ISA with 1 to 3 threads, every family of kernels of quantized layers, and the choice by timing.
std::vector<SessionOptions> variants() {
  std::vector<SessionOptions> all;
  for (const kernels::Isa isa : present_isas()) {
    SessionOptions options{
        .batch = kBatch, .isa = std::string(kernels::isa_name(isa)), .capture_codes = true};
    for (options.threads = 1; options.threads <= 3; ++options.threads) all.push_back(options);
    options.threads = 1;
    for (const kernels::Family family : kernels::lowbit_families()) {
      options.family = kernels::family_name(family);
      all.push_back(options);
    }
  }
  all.push_back({.batch = kBatch, .autotune = true, .capture_codes = true});
  return all;
}

void expect_same(const Session& session, const Expected& expected) {
  ASSERT_EQ(session.quantizers().size(), expected.codes.size());
  for (std::size_t q = 0; q < expected.codes.size(); ++q) {
    const std::span<const std::uint8_t> codes = session.codes(q);
    ASSERT_EQ(codes.size(), expected.codes[q].size());
    for (std::size_t i = 0; i < codes.size(); ++i) {
      ASSERT_EQ(codes[i], expected.codes[q][i]) << session.quantizers()[q] << ", element " << i;
    }
  }
  const std::span<const float> output = session.output();
  ASSERT_EQ(output.size(), expected.output.size());
  for (std::size_t i = 0; i < output.size(); ++i) {
    ASSERT_EQ(std::bit_cast<std::uint32_t>(output[i]), std::bit_cast<std::uint32_t>(expected.output[i]))
        << "output " << i << ": " << output[i] << ", the oracle's " << expected.output[i];
  }
}

std::string describe(const ModelSpec& spec) {
  std::string text;
  for (const Node& node : spec.nodes) text += node.name + " ";
  return text;
}

/// 12 graphs on every variant of a session.
template <class Graph>
void expect_parity(int first_seed) {
  constexpr int kGraphsPerCase = 12;
  for (int g = 0; g < kGraphsPerCase; ++g) {
    const auto seed = static_cast<std::uint32_t>(first_seed + g);
    SCOPED_TRACE("seed " + std::to_string(seed));
    Graph graph(seed);
    const ModelSpec spec = graph.make();
    SCOPED_TRACE(describe(spec));
    Result<Model> model = Model::from_spec(spec);
    ASSERT_TRUE(model.ok()) << model.status().message();
    const std::size_t size = spec.input.height * spec.input.width * spec.input.channels;
    const std::vector<std::uint8_t> pictures = graph.bytes(kBatch * size);
    const std::vector<float> floats = reference::preprocess(spec.input, pictures);
    const Expected expected = expect(spec, pictures);
    for (const SessionOptions& options : variants()) {
      SCOPED_TRACE(options.isa + ", threads " + std::to_string(options.threads) + ", family " +
                   options.family);
      Result<Session> session = Session::create(model.value(), options);
      ASSERT_TRUE(session.ok()) << session.status().message();
      ASSERT_TRUE(session->run(pictures).ok());
      ASSERT_NO_FATAL_FAILURE(expect_same(session.value(), expected));
      ASSERT_TRUE(session->run(floats).ok());
      ASSERT_NO_FATAL_FAILURE(expect_same(session.value(), expected));
    }
  }
}

class ParityReference : public ::testing::TestWithParam<int> {};

TEST_P(ParityReference, CodesAndOutputsAreEqual) {
  expect_parity<reference::RandomGraph>(GetParam() * 1000);
}
INSTANTIATE_TEST_SUITE_P(RandomGraphs, ParityReference, ::testing::Range(1, 15));

class ParityOfBranches : public ::testing::TestWithParam<int> {};

TEST_P(ParityOfBranches, CodesAndOutputsAreEqual) {
  expect_parity<reference::RandomDag>(GetParam() * 1000);
}
INSTANTIATE_TEST_SUITE_P(RandomGraphs, ParityOfBranches, ::testing::Range(1, 13));

/// The parity above would hold for nets whose codes are all alike: they are not.
TEST(RandomGraph, CodesAreSpread) {
  std::size_t quantizers = 0, spread = 0;
  for (std::uint32_t seed = 1000; seed < 1012; ++seed) {
    reference::RandomGraph graph(seed);
    const ModelSpec spec = graph.make();
    const std::size_t size = spec.input.height * spec.input.width * spec.input.channels;
    for (const auto& codes : expect(spec, graph.bytes(kBatch * size)).codes) {
      ++quantizers;
      spread += std::set<std::uint8_t>(codes.begin(), codes.end()).size() > 1 ? 1 : 0;
    }
  }
  EXPECT_GE(spread * 10, quantizers * 9) << spread << " of " << quantizers;
}

}  // namespace
}  // namespace bitplane::engine
