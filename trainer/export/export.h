// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bitplane/model_spec.h"
#include "trainer/run/loaded_run.h"

namespace bitplane::train {

/// The run's net with labels and preprocessing, as the evaluation runs it.
[[nodiscard]] engine::ModelSpec describe_run(const LoadedRun& run);

/// The same with provenance and a golden pair: the run's sample picture and the logits that the trainer's own
/// evaluation computes for it.
[[nodiscard]] engine::ModelSpec export_run(const LoadedRun& run);

}  // namespace bitplane::train
