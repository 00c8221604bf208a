// SPDX-License-Identifier: Apache-2.0
//
// What a convolution needs again in every step: tables of offsets, room for packed weights. Made once for
// each geometry and kept.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "bitplane/kernels/f32_training.h"

namespace bitplane::train {

struct ConvPlan {
  explicit ConvPlan(const kernels::ConvShape& shape);

  kernels::F32TrainingConv conv;
  /// Packed anew by whoever uses them; one per group.
  std::vector<kernels::F32Panels> weights, turned;
};

class ConvPlans {
 public:
  /// The batch of `shape` makes no difference. Valid as long as this object.
  [[nodiscard]] ConvPlan& of(const kernels::ConvShape& shape);

 private:
  std::vector<std::unique_ptr<ConvPlan>> plans_;
};

}  // namespace bitplane::train
