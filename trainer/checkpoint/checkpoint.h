// SPDX-License-Identifier: Apache-2.0
//
// Checkpoints: valid safetensors files that hold everything a run needs to go on byte for byte as if it had
// never stopped, and everything that evaluation and export need, so that neither asks for the data set.
//
//   parameter.<name>, buffer.<name>   the net: weights, running statistics, learned bases
//   optimizer.<name>                  velocities, Adam's means
//   average.<name>                    moving average of parameters and running statistics, where there is one
//   input.mean, input.std             preprocessing; or input.mean_picture, with its divisor in the metadata
//   input.sample                      one test picture, bytes: the model file's golden input
//   metadata                          counters and sums as JSON; labels; the picture's shape; the settings
//                                     that decide the bits; the digests of the data; the teacher's checksum
//
// Random numbers are functions of (seed, stream, counter), so the counters of epoch and step are their whole
// state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "bitplane/safetensors.h"
#include "trainer/config/config.h"
#include "trainer/data/preprocessing.h"
#include "trainer/nets/net.h"
#include "trainer/nn/module.h"
#include "trainer/optim/optimizer.h"
#include "trainer/optim/weight_average.h"

namespace bitplane::train {

/// Where a run stands.
struct Progress {
  std::uint64_t step = 0;               ///< steps done
  std::uint64_t epoch = 0;              ///< epochs done
  std::uint64_t step_in_epoch = 0;      ///< of the epoch that is under way
  std::uint64_t seen = 0, correct = 0;  ///< pictures of it
  double loss_sum = 0;                  ///< over those pictures
  double test_accuracy = -1;            ///< after the last whole epoch; -1: not measured yet
  double best_accuracy = -1;
  std::uint64_t best_epoch = 0;
  friend bool operator==(const Progress&, const Progress&) = default;
};

/// What the net looks at and answers.
struct Task {
  PictureShape input;
  std::vector<std::string> labels;
  Preprocessing preprocessing;
  std::vector<std::uint8_t> sample;                 ///< [height][width][channels]
  std::string train_digest = {}, test_digest = {};  ///< of the data sets (engine/data/dataset.h)
  friend bool operator==(const Task&, const Task&) = default;
};

/// The run that a checkpoint belongs to: with other settings, or another teacher, it is refused.
struct RunIdentity {
  std::string settings;      ///< deciding_settings() of the run's config
  std::string teacher = {};  ///< Teacher::checksum(); empty: none, or an older checkpoint
  friend bool operator==(const RunIdentity&, const RunIdentity&) = default;
};

struct CheckpointParts {
  Module& net;
  Optimizer& optimizer;
  WeightAverage* average = nullptr;  ///< null: the run keeps none
  const Task& task;
  const Progress& progress;
  const RunIdentity& identity;
};
[[nodiscard]] std::vector<std::byte> serialize_checkpoint(const CheckpointParts& parts);

/// A checkpoint's bytes, opened. Throws cli::CommandError naming the file and what is wrong with it.
class CheckpointReader {
 public:
  explicit CheckpointReader(const std::string& path);
  CheckpointReader(const CheckpointReader&) = delete;
  CheckpointReader& operator=(const CheckpointReader&) = delete;

  [[nodiscard]] const Task& task() const noexcept { return task_; }
  [[nodiscard]] const Progress& progress() const noexcept { return progress_; }
  [[nodiscard]] const RunIdentity& identity() const noexcept { return identity_; }
  /// Throws cli::CommandError, which says of which net this checkpoint is, when a setting of `config` that
  /// decides bits is not the one that it was trained with.
  void refuse_other_settings(const Config& config) const;
  /// Every tensor must be there with the right shape. Throws cli::CommandError with its name and both shapes.
  void restore(Module& net) const;
  void restore(Optimizer& optimizer) const;
  void restore(WeightAverage& average) const;
  /// The net with the moving average in place of the weights of the last step.
  void restore_averaged(Module& net) const;

 private:
  void copy_tensor(const std::string& name, Tensor& into) const;

  std::string path_;
  std::vector<std::byte> bytes_;
  engine::Container container_;  ///< views into bytes_
  Task task_;
  Progress progress_;
  RunIdentity identity_;
};

}  // namespace bitplane::train
