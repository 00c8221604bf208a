// SPDX-License-Identifier: Apache-2.0
//
// The training loop of one run: steps, epochs, metrics, checkpoints. Everything that it computes is a
// function of the config and the data; where it was stopped and resumed leaves no trace in the bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "trainer/autograd/context.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/data/batch.h"
#include "trainer/data/loader.h"
#include "trainer/interchange/torch_file.h"
#include "trainer/optim/optimizer.h"
#include "trainer/optim/schedule.h"
#include "trainer/optim/weight_average.h"
#include "trainer/run/event_file.h"
#include "trainer/run/run_folder.h"
#include "trainer/run/run_lock.h"
#include "trainer/run/teacher.h"
#include "trainer/run/training_data.h"

namespace bitplane::train {

/// What a step or an epoch has to tell.
struct StepReport {
  std::uint64_t epoch = 0, epochs = 0;  ///< epoch counted from 1
  std::uint64_t step = 0, steps = 0;    ///< within the epoch
  double loss = 0, accuracy = 0;        ///< running means of this epoch
  double images_per_second = 0, seconds_left = 0;
};
struct TrainingListener {
  std::function<void(const StepReport&)> step;
  std::function<void(const EpochRow&)> epoch;
  /// Asked after each step; true: write a checkpoint and return.
  std::function<bool()> stop;
};

/// The state that a new run is about to start from.
struct StartPoint {
  const Config& config;
  const TrainingData& data;
  const Task& task;
  Backend& backend;
  Module& net;
};
/// Changes that state, once and before the first checkpoint; a function of the start point alone.
using Preparation = std::function<void(const StartPoint&)>;

enum class Outcome : std::uint8_t { Finished, Stopped };

class Training {
 public:
  /// Throws what start() would throw for this config and data, and writes nothing. `look` sees the start
  /// point, for refusals of its own.
  static void rehearse(const Config& config, const TrainingData& data, const Preparation& look);
  /// A new run: makes the folder (config.out) and writes its first checkpoint, so that an unwritable folder
  /// or a full disk shows before the first step. Throws std::invalid_argument or cli::CommandError.
  static Training start(const Config& config, const TrainingData& data, const Preparation& prepare = {});
  /// Goes on at the last checkpoint; from the beginning when the run was killed before its first one. Throws
  /// cli::CommandError for other pictures or settings than those that the run began with.
  static Training resume(const RunFolder& folder, const TrainingData& data, std::size_t threads);

  /// Throws Diverged (nothing saved before is lost) or cli::CommandError.
  Outcome run(const TrainingListener& listener);

  [[nodiscard]] const RunFolder& folder() const noexcept { return *folder_; }
  [[nodiscard]] const Config& config() const noexcept { return config_; }
  [[nodiscard]] const Progress& progress() const noexcept { return progress_; }
  [[nodiscard]] const std::vector<EpochRow>& rows() const noexcept { return rows_; }
  /// What `init_from` brought; nothing was taken without it.
  [[nodiscard]] const ImportSummary& imported() const noexcept { return imported_; }
  [[nodiscard]] Module& net() noexcept { return *net_; }
  [[nodiscard]] Backend& backend() noexcept { return *backend_; }

  Training(Training&&) noexcept = default;

 private:
  Training(const Config& config, const TrainingData& data, std::size_t threads);
  void load_teacher();
  [[nodiscard]] StartPoint start_point() const;
  void begin(const Preparation& prepare);
  [[nodiscard]] bool is_possible(const Progress& progress) const;
  void restore(const RunFolder& folder);
  void open_records(const RunFolder& folder);

  struct EpochClock;
  [[noreturn]] void fail_refused(const std::string& what) const;
  Outcome run_epochs(const TrainingListener& listener);
  Outcome run_epoch(Loader& loader, const TrainingListener& listener);
  void step(const Batch& batch);
  [[nodiscard]] Variable loss_of(const Variable& logits, const Batch& batch, const Context& ctx);
  void finish_epoch(double seconds, std::uint64_t pictures, const TrainingListener& listener);
  [[noreturn]] void fail_diverged(const std::string& where) const;
  void update(const Context& ctx);
  void measure_start();
  void record_step(const StepReport& report) const;
  [[nodiscard]] double test_accuracy();
  [[nodiscard]] std::vector<std::byte> checkpoint_bytes();
  void save(Which which);
  [[nodiscard]] Context context(Mode mode) const;

  Config config_;
  const TrainingData* data_;
  std::unique_ptr<Backend> backend_;
  Task task_;
  std::unique_ptr<Module> net_;
  std::unique_ptr<Optimizer> optimizer_;
  std::vector<NamedParameter> parameters_;  ///< of net_
  std::unique_ptr<WeightAverage> average_;  ///< null without config.ema
  std::unique_ptr<Teacher> teacher_;        ///< null without config.teacher, and when no epoch is left
  std::unique_ptr<Schedule> schedule_;
  PictureMaker pictures_;
  RunIdentity identity_;
  ImportSummary imported_;
  Progress progress_;
  std::uint64_t steps_per_epoch_ = 0;
  std::unique_ptr<RunFolder> folder_;
  std::unique_ptr<RunLock> lock_;
  std::unique_ptr<EventFile> events_;
  std::vector<EpochRow> rows_;
};

}  // namespace bitplane::train
