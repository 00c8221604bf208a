// SPDX-License-Identifier: Apache-2.0
#include "trainer/tensor/conv_plans.h"

#include <algorithm>

namespace bitplane::train {

ConvPlan::ConvPlan(const kernels::ConvShape& shape) : conv(shape) {
  for (std::size_t g = 0; g < shape.groups; ++g) {
    weights.emplace_back(shape.filter_size(), shape.out_channels / shape.groups);
    turned.push_back(conv.turned_panels());
  }
}

ConvPlan& ConvPlans::of(const kernels::ConvShape& shape) {
  kernels::ConvShape key = shape;
  key.batch = 1;
  const auto it = std::find_if(plans_.begin(), plans_.end(), [&](const std::unique_ptr<ConvPlan>& plan) {
    return plan->conv.shape() == key;
  });
  if (it != plans_.end()) return **it;
  return *plans_.emplace_back(std::make_unique<ConvPlan>(key));
}

}  // namespace bitplane::train
