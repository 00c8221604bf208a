// SPDX-License-Identifier: Apache-2.0
//
// The pictures of a run, and what its net looks at and answers.
#pragma once

#include "engine/data/dataset.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/config/config.h"
#include "trainer/run/run_folder.h"

namespace bitplane::train {

struct TrainingData {
  engine::data::PictureSet train, test;
};
/// Throws cli::CommandError.
[[nodiscard]] TrainingData load_training_data(const Config& config);

/// Throws cli::CommandError where the test pictures do not go with the training pictures.
[[nodiscard]] Task make_task(const Config& config, const TrainingData& data);

/// Throws cli::CommandError where the data is not that which the run began with.
void require_same_data(const RunFolder& folder, const Task& then, const Task& now);

}  // namespace bitplane::train
