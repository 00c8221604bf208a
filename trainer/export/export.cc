// SPDX-License-Identifier: Apache-2.0
#include "trainer/export/export.h"

#include <map>
#include <string>

#include "engine/cli/shared/version.h"
#include "trainer/evaluation/evaluator.h"
#include "trainer/export/describe.h"
#include "trainer/nets/net_file.h"
#include "trainer/run/build.h"

namespace bitplane::train {
namespace {

std::map<std::string, std::string> provenance_of(const LoadedRun& run) {
  const Config& config = run.folder.config();
  std::map<std::string, std::string> provenance{{"net", net_title(config.net)},
                                                {"method", config.method},
                                                {"weight_bits", std::to_string(config.wbits)},
                                                {"activation_bits", std::to_string(config.abits)},
                                                {"first_last", config.first_last},
                                                {"data", config.data},
                                                {"epochs", std::to_string(run.progress.epoch)},
                                                {"seed", std::to_string(config.seed)},
                                                {"trainer_version", std::string(cli::version())}};
  for (const auto& [name, value] : config.options) provenance["option." + name] = to_string(value);
  const auto result = read_result(run.folder);
  if (result && result->step == run.progress.step && result->weights == run.weights) {
    provenance["test_accuracy"] = std::to_string(result->accuracy());
    provenance["test_pictures"] = std::to_string(result->count);
  }
  return provenance;
}

}  // namespace

engine::ModelSpec describe_run(const LoadedRun& run) {
  engine::ModelSpec spec = describe_net(layer_graph(*run.net), run.task);
  const Config& config = run.folder.config();
  spec.name = net_title(config.net) + " " + config.method + " " + std::to_string(config.wbits) + "/" +
              std::to_string(config.abits);
  return spec;
}

engine::ModelSpec export_run(const LoadedRun& run) {
  engine::ModelSpec spec = describe_run(run);
  spec.provenance = provenance_of(run);
  const Evaluator evaluator(spec, run_features());
  Evaluator::Worker worker(evaluator);
  evaluator.run(run.task.sample, worker);
  spec.golden.input = run.task.sample;
  spec.golden.output.assign(worker.logits().begin(), worker.logits().end());
  return spec;
}

}  // namespace bitplane::train
