// SPDX-License-Identifier: Apache-2.0
//
// Weights that are quantized part by part: after any part the trainer's evaluation and the engine give the
// same codes and logits, bit for bit; on float activations, and with every quantizer of activations.
#include <gtest/gtest.h>

#include <string>
#include <variant>

#include "bitplane/kernels/isa.h"
#include "bitplane/model_spec.h"
#include "parity_support.h"
#include "trainer/export/export.h"
#include "trainer/methods/method.h"
#include "trainer/nn/module.h"
#include "trainer/quantizers/incremental.h"
#include "trainer/run/loaded_run.h"
#include "trainer/run_support.h"

namespace bitplane::train {
namespace {

struct PartCase {
  std::string method;
  std::size_t wbits, abits;
  OptionValues options = {};
  bool whole = true;  ///< all parts, or the first alone
};

std::string name_of_case(const ::testing::TestParamInfo<PartCase>& info) {
  const PartCase& c = info.param;
  std::string name = c.method + "W" + std::to_string(c.wbits) + "A" + std::to_string(c.abits);
  for (const auto& [option, value] : c.options) name += option + to_string(value);
  if (!c.whole) name += "FirstPart";
  std::erase_if(name, [](char letter) { return letter == '-' || letter == '_'; });
  return name;
}

template <class Weights>
std::size_t layers_with(const engine::ModelSpec& spec) {
  std::size_t count = 0;
  for (const engine::Node& node : spec.nodes) {
    const auto* conv = std::get_if<engine::Conv2d>(&node.op);
    const auto* linear = std::get_if<engine::Linear>(&node.op);
    count += conv != nullptr && std::holds_alternative<Weights>(conv->weights) ? 1 : 0;
    count += linear != nullptr && std::holds_alternative<Weights>(linear->weights) ? 1 : 0;
  }
  return count;
}

class IncrementalParity : public ::testing::TestWithParam<PartCase> {};

TEST_P(IncrementalParity, TrainerAndEngineGiveTheSameBits) {
  const testing::TemporaryFolder folder;
  const PartCase& c = GetParam();
  const TrainingData data = testing::small_data(32, 10);
  Config config = testing::small_config(folder / "run", c.wbits, c.abits);
  config.epochs = 1;
  config.method = c.method;
  config.options = resolve_method({c.method, c.wbits, c.abits, c.options}).options;
  SCOPED_TRACE("seed " + std::to_string(config.seed));
  Training training = Training::start(config, data);
  ASSERT_EQ(training.run(testing::silent()), Outcome::Finished);

  const LoadedRun run = load_run(folder / "run", Which::Last);
  Backend backend{{.threads = 2}};
  for (const QuantizedLayer& layer : quantized_layers(*run.net)) {
    auto& quantizer = dynamic_cast<IncrementalWeights&>(*layer.quantizer);
    do {
      quantizer.choose(backend, *layer.weights, [] { return 0.0; });
      quantizer.freeze(backend, *layer.weights);
    } while (c.whole && quantizer.keeps_floats());
  }
  ASSERT_TRUE(engine::write_model(folder / "model", export_run(run)).ok());
  const auto model = engine::Model::load(folder / "model");
  ASSERT_TRUE(model.ok()) << model.status().message();

  const bool bits = c.abits != kFloatBits;
  EXPECT_EQ(layers_with<engine::PlaneWeights>(model->spec()), c.whole && bits ? 4U : 0U);
  // The first layer's table of few weights may be larger than they are.
  if (c.whole) {
    EXPECT_GE(layers_with<engine::CodebookWeights>(model->spec()), bits ? 1U : 5U);
  } else {
    EXPECT_EQ(layers_with<engine::FloatWeights>(model->spec()), 6U);
  }

  const Evaluator evaluator(describe_run(run), kernels::detect_cpu());
  const std::vector<testing::Observation> seen = testing::observe(evaluator, data.test);
  for (const kernels::IsaInfo& isa : kernels::kIsas) {
    if (!kernels::detect_cpu().has(isa.isa)) continue;
    SCOPED_TRACE(std::string(isa.name));
    const auto pictures = testing::first_pictures(data.test, isa.isa == kernels::Isa::Scalar ? 2 : 10);
    ASSERT_NO_FATAL_FAILURE(
        testing::expect_engine_agrees(model.value(), isa.name, pictures, evaluator, seen));
  }
}

std::vector<PartCase> part_cases() {
  std::vector<PartCase> cases{
      {"slq", 5, 32},
      {"slq", 5, 2},  // 16 planes
      {"slq", 4, 3},
      {"slq", 3, 32, {}, false},
      {"slq", 3, 2, {}, false},
      {"eslq", 5, 32},
      {"eslq", 5, 2},  // 9 planes of integers
      {"eslq", 4, 2, {{"type", "two-digit"}}},
      {"eslq", 3, 8},
      {"mlq", 2, 32},
      {"mlq", 2, 2},
      {"mlq", 2, 2, {}, false},
      {"inq", 5, 32, {{"layers", "all"}}},
      {"inq", 5, 2, {{"layers", "all"}}},
      {"inq", 2, 3, {{"layers", "all"}}},
  };
  for (const OptionInfo& option : find_method("slq").options) {
    if (option.name != "activations") continue;
    for (const std::string_view name : option.choices) {
      cases.push_back({"mlq",
                       2,
                       find_quantizer(name)->activation_bits.contains(2) ? 2U : 1U,
                       {{"activations", std::string(name)}}});
    }
  }
  return cases;
}
INSTANTIATE_TEST_SUITE_P(Methods, IncrementalParity, ::testing::ValuesIn(part_cases()), name_of_case);

}  // namespace
}  // namespace bitplane::train
