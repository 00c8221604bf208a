// SPDX-License-Identifier: Apache-2.0
//
// The folder of a procedure on disk: procedure.json, and which run folder stands for what.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "trainer/procedures/plan.h"
#include "trainer/run/loaded_run.h"
#include "trainer/run/run_lock.h"

namespace bitplane::train {

class ProcedureFolder {
 public:
  /// Whether `path` holds a procedure.
  [[nodiscard]] static bool is_at(const std::string& path);
  /// A new one, of which begin() writes the folder, or the one that holds the same procedure. A plan of which
  /// no stage has begun makes room for another. Throws std::invalid_argument where the folder holds another
  /// procedure or something else.
  static ProcedureFolder create(ProcedurePlan plan);
  /// A stage whose run somebody deleted is not done, unless a later one is there to go on from. Throws
  /// cli::CommandError.
  static ProcedureFolder open(const std::string& path);

  /// Whether nothing is written yet.
  [[nodiscard]] bool is_new() const noexcept { return is_new_; }
  /// Keeps other processes out as long as it lives; a new folder is made and its procedure.json written.
  [[nodiscard]] std::unique_ptr<RunLock> begin();

  [[nodiscard]] const ProcedurePlan& plan() const noexcept { return plan_; }
  /// To run with other surroundings (threads, data folder): what decides bits stays.
  [[nodiscard]] ProcedurePlan& plan() noexcept { return plan_; }
  [[nodiscard]] std::string path() const { return plan_.request.out; }
  [[nodiscard]] std::string prepared_file(std::size_t stage) const;
  [[nodiscard]] bool is_done(std::size_t stage) const { return results_.at(stage).has_value(); }
  [[nodiscard]] const std::optional<RunResult>& result(std::size_t stage) const { return results_.at(stage); }
  /// Throws std::invalid_argument where the stage's folder holds a run with other settings than the plan's.
  void refuse_other_run(std::size_t stage) const;
  /// Writes procedure.json.
  void set_done(std::size_t stage, const RunResult& result);

 private:
  explicit ProcedureFolder(ProcedurePlan plan) : plan_(std::move(plan)), results_(plan_.stages.size()) {}
  void write() const;
  void forget_deleted();
  [[nodiscard]] bool has_begun() const;
  ProcedurePlan plan_;
  bool is_new_ = false;
  std::vector<std::optional<RunResult>> results_;
};

/// The run that `path` means: itself, or the last stage of a procedure. Throws cli::CommandError when that
/// stage is not done yet, with the ones that are.
[[nodiscard]] std::string final_run(const std::string& path);

/// Where `path` is the run folder of a procedure's stage.
struct StageFolder {
  std::string procedure;  ///< its folder
  std::string stage;      ///< name
};
[[nodiscard]] std::optional<StageFolder> stage_folder(const std::string& path);

}  // namespace bitplane::train
