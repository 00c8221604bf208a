// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "trainer/tensor/backend.h"

namespace bitplane::train {

class OpProfile;

/// Train: batch statistics, quantizers learn. Eval: running statistics, nothing is updated.
enum class Mode : std::uint8_t { Train, Eval };
/// Off: no graph is recorded, and intermediate tensors are freed as soon as nobody needs them.
enum class GradMode : std::uint8_t { Record, Off };
/// Off: no fused operation is used. The bits are the same; for tests.
enum class Fusion : std::uint8_t { On, Off };

/// Handed to every operation. The Backend must outlive every graph recorded with it.
struct Context {
  Backend& backend;
  Mode mode = Mode::Train;
  GradMode grad = GradMode::Record;
  Fusion fusion = Fusion::On;
  OpProfile* profile = nullptr;  ///< when set, time per operation is added up there
  /// Operations that draw random numbers (dropout) take them from a stream of this seed, by this step.
  std::uint64_t seed = 0, step = 0;
  std::uint64_t steps_per_epoch = 0;  ///< for what happens once an epoch; 0: there are no epochs
};

}  // namespace bitplane::train
