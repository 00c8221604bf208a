// SPDX-License-Identifier: Apache-2.0
//
// The folder of one run:
//
//   config.json                    resolved: everything that decides the run
//   metrics.csv, metrics.jsonl     one row per epoch
//   events.out.tfevents.*          the same and more, for TensorBoard
//   provenance.json                version, compiler, CPU, threads, data digest, command line of each session
//   log.txt                        what was said on stderr, with the time
//   checkpoint-last.safetensors    where `trainer resume` goes on
//   checkpoint-best.safetensors    the epoch of the best test accuracy
//   result.json                    accuracy by the normative evaluation, when the run is finished
//   model.safetensors              the exported model, when the run is finished
//
// Every file is replaced atomically (log and events are appended to), so that whatever was saved before stays
// readable at any moment.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "trainer/config/config.h"
#include "trainer/run/metrics.h"

namespace bitplane::train {

enum class Which : std::uint8_t { Last, Best };

class RunFolder {
 public:
  /// The folder alone, so that it can be locked before anything is written. Throws as create() does.
  static void make(const std::string& path);
  /// For a new run. Throws cli::CommandError when `path` holds a run already (with advice), can't be written,
  /// or when its disk has no room for `checkpoint_bytes` several times. Nothing is written before these
  /// checks.
  static RunFolder create(const std::string& path, const Config& config, std::size_t checkpoint_bytes);
  /// Of a run that exists. Throws cli::CommandError when there is none, with the reason.
  static RunFolder open(const std::string& path);
  /// Does the folder hold a run, begun or not?
  [[nodiscard]] static bool is_at(const std::string& path);
  /// Has that run left anything that a new start would write over: checkpoints, metrics, a result?
  [[nodiscard]] static bool has_begun(const std::string& path);
  /// Throws cli::CommandError when `path` holds a run already; writes nothing.
  static void refuse_existing_run(const std::string& path);
  /// The same, and when it holds metrics, a result or a model, which a run would write over.
  static void refuse_results(const std::string& path);

  /// Takes back what create() made; for a run that could not even save its first checkpoint.
  void discard() const;

  [[nodiscard]] const Config& config() const noexcept { return config_; }
  [[nodiscard]] std::string path() const { return path_.string(); }
  [[nodiscard]] std::string checkpoint(Which which) const;
  [[nodiscard]] bool has_checkpoint(Which which) const;
  [[nodiscard]] std::string model() const;
  [[nodiscard]] std::string events() const;
  [[nodiscard]] std::string provenance() const { return (path_ / "provenance.json").string(); }
  [[nodiscard]] std::string log() const { return (path_ / "log.txt").string(); }
  [[nodiscard]] std::string result() const;

  /// Throws cli::CommandError when the disk has no room for `checkpoint_bytes` several times.
  void check_room(std::size_t checkpoint_bytes) const;
  /// Removes files that a killed process had not finished.
  void remove_leftovers() const;

  /// Throws cli::CommandError where the last checkpoint is gone and the rest shows that there was one.
  void refuse_lost_checkpoint() const;

  /// Rows of epochs up to `last_epoch`: later ones are of an epoch that was not saved and comes again. Throws
  /// cli::CommandError for lines that are none.
  [[nodiscard]] std::vector<EpochRow> read_metrics(std::uint64_t last_epoch) const;
  /// Throws cli::CommandError where metrics.csv has more of these epochs than `rows`: going on would lose
  /// them.
  void refuse_lost_metrics(std::span<const EpochRow> rows, std::uint64_t last_epoch) const;
  void write_metrics(std::span<const EpochRow> rows) const;

 private:
  RunFolder(std::filesystem::path path, Config config) : path_(std::move(path)), config_(std::move(config)) {}
  std::filesystem::path path_;
  Config config_;
};

}  // namespace bitplane::train
