// SPDX-License-Identifier: Apache-2.0
//
// The evaluation against the oracle of the normative arithmetic (tests/engine/reference), which works on
// unpacked codes with plain loops: random graphs with every encoding, basis, offset, padding, grouping and
// pooling.
#include <gtest/gtest.h>

#include <cstdint>
#include <set>

#include "engine/reference/interpreter.h"
#include "engine/reference/random_dag.h"
#include "engine/reference/random_graph.h"
#include "engine/reference/specs.h"
#include "trainer/evaluation/evaluate.h"
#include "trainer/evaluation/evaluator.h"
#include "trainer/run_support.h"
#include "trainer/trainer_support.h"

namespace bitplane::train {
namespace {

namespace reference = engine::reference;

void expect_equal_to_reference(const engine::ModelSpec& spec, std::span<const std::uint8_t> picture) {
  const auto expected = reference::interpret(spec, reference::preprocess(spec.input, picture));
  for (const kernels::IsaInfo& isa : kernels::kIsas) {
    if (!kernels::detect_cpu().has(isa.isa)) continue;
    SCOPED_TRACE(std::string(isa.name));
    const Evaluator evaluator(spec, kernels::detect_cpu().limited_to(isa.isa));
    Evaluator::Worker worker(evaluator);
    for (int pass = 0; pass < 2; ++pass) {  // the second one finds the first one's tensors
      evaluator.run(picture, worker);
      const auto logits = worker.logits();
      const std::vector<float>& wanted = expected.at(spec.output).values;
      ASSERT_EQ(std::vector<float>(logits.begin(), logits.end()), wanted);
      for (std::size_t q = 0; q < evaluator.quantizers().size(); ++q) {
        SCOPED_TRACE(evaluator.quantizers()[q].name);
        const auto codes = worker.codes(q);
        ASSERT_EQ(std::vector<std::uint8_t>(codes.begin(), codes.end()),
                  expected.at(evaluator.quantizers()[q].name).codes);
      }
    }
  }
}

class EvaluationOfRandomGraphs : public ::testing::TestWithParam<int> {};

TEST_P(EvaluationOfRandomGraphs, EqualsTheReferenceBitForBit) {
  for (int g = 0; g < 15; ++g) {
    const auto seed = static_cast<std::uint32_t>(GetParam() * 1000 + g);
    SCOPED_TRACE("seed " + std::to_string(seed));
    reference::RandomGraph graph(seed);
    const engine::ModelSpec spec = graph.make();
    const std::vector<std::uint8_t> picture =
        graph.bytes(spec.input.height * spec.input.width * spec.input.channels);
    ASSERT_NO_FATAL_FAILURE(expect_equal_to_reference(spec, picture));
  }
}
TEST_P(EvaluationOfRandomGraphs, WithBranchesEqualsTheReferenceBitForBit) {
  for (int g = 0; g < 15; ++g) {
    const auto seed = static_cast<std::uint32_t>(GetParam() * 1000 + g);
    SCOPED_TRACE("seed " + std::to_string(seed));
    reference::RandomDag graph(seed);
    const engine::ModelSpec spec = graph.make();
    const std::vector<std::uint8_t> picture =
        graph.bytes(spec.input.height * spec.input.width * spec.input.channels);
    ASSERT_NO_FATAL_FAILURE(expect_equal_to_reference(spec, picture));
  }
}
INSTANTIATE_TEST_SUITE_P(Seeds, EvaluationOfRandomGraphs, ::testing::Range(1, 9));

engine::data::PictureSet set_of(const engine::ModelSpec& spec, std::size_t count) {
  engine::data::PictureSet set{.count = count,
                               .height = spec.input.height,
                               .width = spec.input.width,
                               .channels = spec.input.channels,
                               .pixels = reference::pictures(spec, count),
                               .labels = {},
                               .class_names = {}};
  for (std::size_t i = 0; i < count; ++i)
    set.labels.push_back(static_cast<std::uint16_t>(i % spec.labels.size()));
  set.class_names = spec.labels;
  return set;
}

engine::ModelSpec labelled_net() {
  engine::ModelSpec spec = reference::small_net();
  const std::size_t classes = Evaluator(spec, kernels::detect_cpu()).classes();
  spec.labels.clear();
  for (std::size_t c = 0; c < classes; ++c) spec.labels.push_back("class " + std::to_string(c));
  return spec;
}

TEST(Evaluate, CountsTracesAndIgnoresTheNumberOfThreads) {
  const engine::ModelSpec spec = labelled_net();
  const engine::data::PictureSet set = set_of(spec, 37);
  const Evaluator evaluator(spec, kernels::detect_cpu());
  engine::data::Trace first;
  std::size_t correct = 0;
  for (const std::size_t threads : {1, 2, 3}) {
    ThreadPool pool(threads);
    engine::data::Trace trace;
    std::size_t reported = 0;
    const EvaluationResult result =
        evaluate(evaluator, set,
                 {.threads = pool, .trace = &trace, .progress = [&](std::size_t done) { reported = done; }});
    EXPECT_EQ(result.count, 37U);
    EXPECT_EQ(reported, 37U);
    if (threads == 1) {
      first = trace;
      correct = result.correct;
    }
    EXPECT_EQ(result.correct, correct);
    ASSERT_EQ(trace.pictures.size(), 37U);
    for (std::size_t i = 0; i < 37; ++i) {
      EXPECT_EQ(trace.pictures[i].label, set.labels[i]);
      EXPECT_EQ(trace.pictures[i].logits, first.pictures[i].logits);
      EXPECT_EQ(trace.pictures[i].digests, first.pictures[i].digests);
    }
  }
}

TEST(Evaluate, TheTraceNamesTheQuantizeNodes) {
  const engine::ModelSpec spec = labelled_net();
  const engine::data::PictureSet set = set_of(spec, 1);
  const Evaluator evaluator(spec, kernels::detect_cpu());
  ThreadPool pool(1);
  engine::data::Trace trace;
  (void)evaluate(evaluator, set, {.threads = pool, .trace = &trace, .progress = {}});
  std::vector<std::string> names;
  std::size_t channels = 0;
  for (const engine::data::TraceLayer& layer : trace.header.layers) {
    names.push_back(layer.name);
    channels += layer.channels;
  }
  std::vector<std::string> wanted;
  for (const engine::Node& node : spec.nodes) {
    if (std::holds_alternative<engine::Quantize>(node.op)) wanted.push_back(node.name);
  }
  EXPECT_EQ(names, wanted);
  EXPECT_EQ(trace.pictures[0].digests.size(), channels);
  const auto codes_digest = trace.pictures[0].digests;
  Evaluator::Worker worker(evaluator);
  evaluator.run(set.picture(0), worker);
  std::vector<std::uint32_t> digests(evaluator.quantizers()[0].channels);
  engine::data::digest_codes(worker.codes(0), digests.size(), digests);
  EXPECT_TRUE(std::equal(digests.begin(), digests.end(), codes_digest.begin()));
}

TEST(Evaluate, PicturesAndClassesThatDoNotFitAreRefused) {
  const engine::ModelSpec spec = labelled_net();
  const Evaluator evaluator(spec, kernels::detect_cpu());
  ThreadPool pool(1);
  engine::data::PictureSet set = set_of(spec, 2);
  set.class_names.pop_back();
  EXPECT_THROW((void)evaluate(evaluator, set, {.threads = pool, .progress = {}}), std::invalid_argument);
  set = set_of(spec, 2);
  set.width += 1;
  EXPECT_THROW((void)evaluate(evaluator, set, {.threads = pool, .progress = {}}), std::invalid_argument);
}

TEST(Evaluator, GraphsThatItCannotRunAreRefusedByNode) {
  const auto refusal = [](const engine::ModelSpec& spec) {
    return testing::message_of<std::invalid_argument>([&] { (void)Evaluator(spec, kernels::detect_cpu()); });
  };
  engine::ModelSpec spec = reference::small_net();
  spec.nodes[1].inputs = {"nowhere"};
  EXPECT_NE(refusal(spec).find("'nowhere'"), std::string::npos);
  spec = reference::small_net();
  spec.output = "nowhere";
  EXPECT_NE(refusal(spec).find("'nowhere'"), std::string::npos);
  spec = reference::small_net();
  for (engine::Node& node : spec.nodes) {
    if (auto* quantize = std::get_if<engine::Quantize>(&node.op)) quantize->thresholds.pop_back();
  }
  EXPECT_NE(refusal(spec).find("thresholds"), std::string::npos);
}

}  // namespace
}  // namespace bitplane::train
