// SPDX-License-Identifier: Apache-2.0
//
// A procedure with all its settings: which stages, and the config of each. It is what procedure.json holds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "trainer/procedures/procedure.h"
#include "trainer/run/loaded_run.h"

namespace bitplane::train {

/// "fine-tune.lr=0.001", taken apart.
struct StageSetting {
  std::string stage, name, value;
  [[nodiscard]] std::string text() const { return stage + "." + name + "=" + value; }
};
/// Throws std::invalid_argument for what is not STAGE.NAME=VALUE.
[[nodiscard]] StageSetting parse_stage_setting(const std::string& text);

struct PlannedStage {
  Stage stage;
  Config config;       ///< resolved; `out` is the stage's folder
  std::string folder;  ///< "2-fine-tune", within the procedure's
};

struct ProcedurePlan {
  const ProcedureInfo* procedure = nullptr;
  std::string from = {};                            ///< the float run, an absolute path
  std::optional<std::uint32_t> from_checksum = {};  ///< state_checksum() of its net
  Config request = {};                              ///< resolved: what the last stage shall be
  OptionValues options = {};                        ///< of the procedure
  std::vector<StageSetting> special = {};           ///< for one stage each
  std::vector<PlannedStage> stages = {};

  /// Throws std::invalid_argument with the names of the stages.
  [[nodiscard]] std::size_t stage_at(std::string_view name) const;
};

/// What a procedure takes where nobody says something, for a float run with these settings; all else is the
/// float run's.
[[nodiscard]] Config procedure_defaults(const ProcedureInfo& procedure, const Config& float_run);
/// Whether a flag of `trainer train` has no use in `trainer quantize`: the float run has decided.
[[nodiscard]] bool is_decided_by_float_run(std::string_view setting);

/// From flags. Data set, net and what else the float run decides are its own. Throws std::invalid_argument
/// for a run that is not float, not finished or of another net or data set, and for settings that do not go.
[[nodiscard]] ProcedurePlan plan_procedure(const LoadedRun& from, const PartialConfig& flags,
                                           const std::vector<std::string>& stage_settings);

/// The settings as procedure.json holds them, and back. `out`: where the folder is now.
[[nodiscard]] nlohmann::ordered_json plan_to_json(const ProcedurePlan& plan);
[[nodiscard]] ProcedurePlan plan_from_json(const nlohmann::json& json, const std::string& out);

/// The first setting in which two plans differ, as "lr was 0.1 and is 0.01"; "" when they are the same
/// procedure.
[[nodiscard]] std::string changed_plan(const ProcedurePlan& before, const ProcedurePlan& now);

}  // namespace bitplane::train
