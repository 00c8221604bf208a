// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

#include "bitplane/engine.h"
#include "lowering/choose_kernels.h"
#include "runtime/model_impl.h"

namespace bitplane::engine {

/// One row per step of the plan; the first is the input's preprocessing.
[[nodiscard]] std::vector<StepInfo> describe_steps(const Model::Impl& model, const KernelChoice& kernels);

}  // namespace bitplane::engine
