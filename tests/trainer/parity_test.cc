// SPDX-License-Identifier: Apache-2.0
//
// The promise of the whole line: a net that was trained here gives the same codes at every quantized layer
// and the same logits, bit for bit, in the trainer's own evaluation and in the engine, on every ISA.
#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <string>
#include <utility>

#include "bitplane/engine.h"
#include "bitplane/kernels/isa.h"
#include "bitplane/model_spec.h"
#include "parity_support.h"
#include "trainer/evaluation/evaluator.h"
#include "trainer/export/export.h"
#include "trainer/methods/method.h"
#include "trainer/run/loaded_run.h"
#include "trainer/run_support.h"

namespace bitplane::train {
namespace {

using testing::Observation;
using testing::observe;

struct ParityCase {
  std::size_t wbits, abits, train_pictures, test_pictures;
  std::string net = "cnn-small", method = "lq-nets", first_last = "float";
  OptionValues options = {};
};

std::string name_of(const ::testing::TestParamInfo<ParityCase>& info) {
  std::string name = info.param.net + info.param.method + "W" + std::to_string(info.param.wbits) + "A" +
                     std::to_string(info.param.abits);
  if (info.param.first_last != "float") name += "Ends" + info.param.first_last;
  for (const auto& [option, value] : info.param.options) {
    std::string text = to_string(value);
    std::ranges::replace(text, '-', 'm');  // "-1" and "1" are two names
    name += "_" + option + "_" + text;
  }
  std::erase_if(name, [](char letter) { return letter == '-' || letter == '.'; });
  return name;
}

/// Behind the first layer, whose table of levels may be larger than its few weights.
std::size_t codebooks_in(const engine::ModelSpec& spec) {
  std::size_t count = 0;
  for (const engine::Node& node : spec.nodes) {
    const auto* conv = std::get_if<engine::Conv2d>(&node.op);
    if (conv == nullptr || node.inputs.front() == "input") continue;
    count += std::holds_alternative<engine::CodebookWeights>(conv->weights) ? 1 : 0;
  }
  return count;
}

class Parity : public ::testing::TestWithParam<ParityCase> {};

TEST_P(Parity, TrainerAndEngineGiveTheSameBits) {
  const testing::TemporaryFolder folder;
  const ParityCase& c = GetParam();
  const TrainingData data = testing::small_data(c.train_pictures, c.test_pictures);
  Config config = testing::small_config(folder / "run", c.wbits, c.abits);
  config.epochs = 1;
  config.net = c.net;
  config.first_last = c.first_last;
  if (config.method != "float") {
    config.method = c.method;
    config.options = resolve_method({c.method, c.wbits, c.abits, c.options}).options;
  }
  SCOPED_TRACE("seed " + std::to_string(config.seed));
  Training training = Training::start(config, data);
  ASSERT_EQ(training.run(testing::silent()), Outcome::Finished);

  const LoadedRun run = load_run(folder / "run", Which::Last);
  ASSERT_TRUE(engine::write_model(folder / "model", export_run(run)).ok());
  const auto model = engine::Model::load(folder / "model");
  ASSERT_TRUE(model.ok()) << model.status().message();
  const Evaluator evaluator(describe_run(run), kernels::detect_cpu());
  const std::size_t inner = c.abits == kFloatBits ? 0 : c.net == "cnn-small" ? 4 : 18;
  EXPECT_EQ(evaluator.quantizers().size(), inner + (c.first_last == "float" ? 0 : 1));
  // Weights alone: layers of few levels for each output channel. 256 of them, with codes of a byte, are
  // smaller than floats only for the two layers of the longest filters.
  const std::size_t of_few_levels = c.wbits == 8 ? 2 : 4;
  const bool weights_only = c.abits == kFloatBits && c.wbits != kFloatBits;
  EXPECT_EQ(codebooks_in(model->spec()), weights_only ? of_few_levels : 0U);
  const std::vector<Observation> seen = observe(evaluator, data.test);
  for (const kernels::IsaInfo& isa : kernels::kIsas) {
    if (!kernels::detect_cpu().has(isa.isa)) continue;
    SCOPED_TRACE(std::string(isa.name));
    // A float net on scalar code is slow and the same one chain of fma for every picture.
    const bool slow = isa.isa == kernels::Isa::Scalar && c.abits == kFloatBits;
    const auto pictures = testing::first_pictures(data.test, slow ? 4 : data.test.count);
    ASSERT_NO_FATAL_FAILURE(
        testing::expect_engine_agrees(model.value(), isa.name, pictures, evaluator, seen));
  }
}

// 2/2 is trained for a while, so that codes of all ranks occur; for the others one step moves every number.
INSTANTIATE_TEST_SUITE_P(
    Bits, Parity,
    ::testing::Values(ParityCase{2, 2, 640, 200}, ParityCase{1, 1, 32, 30}, ParityCase{1, 2, 32, 30},
                      ParityCase{3, 3, 32, 20}, ParityCase{2, 4, 32, 20}, ParityCase{8, 8, 32, 3},
                      ParityCase{1, 8, 32, 10}, ParityCase{2, 32, 32, 10}, ParityCase{1, 32, 32, 10},
                      ParityCase{3, 32, 32, 10}, ParityCase{8, 32, 32, 3}, ParityCase{32, 32, 64, 40},
                      ParityCase{2, 2, 64, 4, "resnet-20"}, ParityCase{32, 32, 32, 3, "resnet-20"},
                      ParityCase{2, 2, 128, 40, "cnn-small", "lq-nets", "8"},
                      ParityCase{2, 2, 64, 4, "resnet-20", "lq-nets", "8"},
                      ParityCase{32, 32, 32, 4, "cnn-small", "lq-nets", "8"}),
    name_of);

/// Every method at the widths that it can do.
std::vector<ParityCase> cases_of_methods() {
  constexpr std::size_t kLargestPair = 3;  // 8 x 8 planes as floats are slow
  std::vector<ParityCase> cases;
  for (const MethodInfo& method : methods()) {
    if (method.name == "float" || method.name == "lq-nets") continue;  // above
    if (method.start != MethodStart::Random) continue;                 // incremental_parity_test.cc
    const BitRange weights = weight_bits(method), activations = activation_bits(method);
    for (const auto& [wbits, abits] : std::initializer_list<std::pair<std::size_t, std::size_t>>{
             {1, 1}, {1, 2}, {2, 2}, {3, 3}, {8, 8}, {1, 32}, {2, 32}, {32, 2}}) {
      const bool floats = wbits == kFloatBits && method.float_weights == FloatWeights::Allowed;
      const bool fits =
          (floats || weights.contains(wbits)) && (abits == kFloatBits || activations.contains(abits));
      if (!fits) continue;
      cases.push_back({.wbits = wbits,
                       .abits = abits,
                       .train_pictures = 32,
                       .test_pictures = wbits > kLargestPair ? 2U : 10U,
                       .method = std::string(method.name)});
    }
  }
  return cases;
}
INSTANTIATE_TEST_SUITE_P(Methods, Parity, ::testing::ValuesIn(cases_of_methods()), name_of);

ParityCase with_options(const std::string& method, std::size_t wbits, std::size_t abits,
                        OptionValues options) {
  return {.wbits = wbits,
          .abits = abits,
          .train_pictures = 64,
          .test_pictures = 6,
          .method = method,
          .options = std::move(options)};
}

/// What options do to codes and scales. 6 filters a group divide no layer.
std::vector<ParityCase> cases_of_options() {
  std::vector<ParityCase> cases{with_options("qil", 2, 2, {{"weight_scale", "M"}}),
                                with_options("qil", 3, 32, {{"weight_scale", "M"}}),
                                with_options("qil", 2, 2, {{"weight_scale", "fixed"}}),
                                with_options("lq-nets", 2, 2, {{"optimize", "bp"}}),
                                with_options("lq-nets", 3, 2, {{"alternations", 2}}),
                                with_options("gdrq", 2, 2, {{"weight_slope", "masked"}, {"layers", "all"}}),
                                with_options("gdrq", 2, 2, {{"reshape", "project"}, {"k_w", 1.5}}),
                                with_options("hwgq", 1, 3, {{"tail", "log-tailed"}}),
                                with_options("hwgq", 1, 2, {{"levels", "non-uniform"}})};
  for (const int group_size : {-1, 4, 6}) {
    for (const auto& [wbits, abits] :
         {std::pair{1, 2}, std::pair{2, 2}, std::pair{3, 3}, std::pair{1, 32}, std::pair{2, 32}})
      cases.push_back(with_options("gdrq", static_cast<std::size_t>(wbits), static_cast<std::size_t>(abits),
                                   {{"group_size", group_size}}));
  }
  for (const int group_size : {1, 6}) {
    for (const std::size_t abits : {std::size_t{2}, kFloatBits})
      cases.push_back(with_options("gdrq", 2, abits, {{"alpha", "search"}, {"group_size", group_size}}));
  }
  return cases;
}
INSTANTIATE_TEST_SUITE_P(Options, Parity, ::testing::ValuesIn(cases_of_options()), name_of);

}  // namespace
}  // namespace bitplane::train
