// SPDX-License-Identifier: Apache-2.0
#include "trainer/tensor/bf16_plans.h"

#include <algorithm>

namespace bitplane::train {

Bf16Plan::Bf16Plan(const kernels::Bf16Kernels& kernels, const kernels::ConvShape& shape)
    : conv(kernels, shape), weights(conv.packed_weight_bytes()) {}

Bf16Plan& Bf16Plans::of(const kernels::ConvShape& shape) {
  const auto found = std::find_if(plans_.begin(), plans_.end(), [&](const std::unique_ptr<Bf16Plan>& plan) {
    return plan->conv.shape() == shape;
  });
  if (found != plans_.end()) return **found;
  return *plans_.emplace_back(std::make_unique<Bf16Plan>(*kernels_, shape));
}

std::byte* Bf16Plans::scratch(std::size_t runner, std::size_t bytes) {
  kernels::AlignedArray<std::byte>& mine = scratch_.at(runner);
  if (mine.size() < bytes) mine = kernels::AlignedArray<std::byte>(bytes);
  return mine.data();
}

}  // namespace bitplane::train
