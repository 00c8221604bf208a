// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "trainer/cli/config_flags.h"
#include "trainer/cli/stages.h"
#include "trainer/cli/subcommands.h"
#include "trainer/config/effects.h"
#include "trainer/run/loaded_run.h"

namespace bitplane::train {
namespace {

struct QuantizeOptions {
  std::shared_ptr<ConfigFlags> flags = std::make_shared<ConfigFlags>();
  std::string from, stages, until;
  std::vector<std::string> special;  ///< STAGE.NAME=VALUE
  bool json = false;
};

std::vector<std::string> split(const std::string& names) {
  std::vector<std::string> parts;
  std::istringstream stream(names);
  for (std::string part; std::getline(stream, part, ',');) parts.push_back(part);
  return parts;
}

/// A flag may count in one stage alone, which has a schedule of its own.
void refuse_idle_flags(const ProcedurePlan& plan, const PartialConfig& flags) {
  std::vector<Config> configs{plan.request};
  for (const PlannedStage& planned : plan.stages) configs.push_back(planned.config);
  refuse_without_effect(configs, flags.given);
}

cli::ExitCode quantize(const QuantizeOptions& options) {
  const PartialConfig flags = take_flags(*options.flags);
  if (!flags.given.contains("method")) {
    std::string known;
    for (const ProcedureInfo* procedure : procedures())
      known += (known.empty() ? "" : ", ") + std::string(procedure->method);
    throw std::invalid_argument("give the --method whose procedure shall run: " + known);
  }
  (void)find_procedure(flags.values.method);
  if (flags.values.out.empty()) throw std::invalid_argument("give the procedure a folder: --out runs/NAME");
  if (options.from.empty())
    throw std::invalid_argument("--from RUN: give a finished run of `trainer train --method float`");
  const LoadedRun from = load_run_for("--from", final_run(options.from));
  ProcedurePlan plan = plan_procedure(from, flags, options.special);
  refuse_idle_flags(plan, flags);
  StageRequest request{.folder = plan.request.out,
                       .only = split(options.stages),
                       .until = options.until,
                       .format = options.json ? cli::Format::JsonDocument : cli::Format::Text};
  (void)selected_stages(plan, request);
  return run_stages(ProcedureFolder::create(std::move(plan)), request);
}

/// Where it is not what `trainer train` says.
std::string help_of(const ConfigField& field) {
  if (is_decided_by_float_run(field.name)) return "";
  if (field.name == "epochs") return "of each stage that trains; 0: none of them does";
  if (field.name == "drops") {
    return "step: epochs of a stage after which lr drops, as 3,4; empty: at 1/2 and 3/4, or once after 60 % "
           "where a method quantizes part by part";
  }
  if (field.name == "out") return "the procedure's folder";
  return std::string(field.help);
}

}  // namespace

cli::Action declare_quantize(CLI::App& app) {
  auto options = std::make_shared<QuantizeOptions>();
  app.add_option("--from", options->from,
                 "run folder of a float net, or of one that the method goes on from (qil: with more bits; "
                 "slq, eslq, mlq, inq: with float activations)");
  declare_config_flags(app, options->flags, help_of);
  app.add_option("--set", options->special,
                 "STAGE.NAME=VALUE: a setting or an option of one stage, as fine-tune.lr=0.001")
      ->allow_extra_args(false);
  app.add_option("--stages", options->stages, "only these stages, as sparse,transform");
  app.add_option("--until", options->until, "stop behind this stage");
  app.add_flag("--json", options->json, "result as JSON");
  return [options] { return guarded([&] { return quantize(*options); }); };
}

}  // namespace bitplane::train
