// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <stdexcept>
#include <string>

#include "trainer/autograd/context.h"
#include "trainer/nn/module.h"

namespace bitplane::train {

/// Training cannot go on: some number is not finite any more. The message says where.
class Diverged : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

[[nodiscard]] bool all_finite(std::span<const float> values) noexcept;

/// "layer 'conv3' (conv3.weight)"
[[nodiscard]] std::string describe_layer(const std::string& parameter_or_buffer);

/// describe_layer of the first parameter or buffer that holds a NaN or an infinity. Looked
/// at after each step, because a quantizer maps a NaN to its lowest level and would hide it from the loss.
[[nodiscard]] std::optional<std::string> find_non_finite_state(Module& net);

/// The first layer whose output for `pictures` is not finite; used once the loss is not. Moves batch
/// statistics.
[[nodiscard]] std::string find_non_finite_layer(const Context& ctx, Module& net, const Tensor& pictures);

}  // namespace bitplane::train
