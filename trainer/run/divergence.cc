// SPDX-License-Identifier: Apache-2.0
#include "trainer/run/divergence.h"

#include <bit>
#include <cstdint>

#include "trainer/nn/module.h"

namespace bitplane::train {

bool all_finite(std::span<const float> values) noexcept {
  constexpr std::uint32_t kExponent = 0x7F800000U;
  std::uint32_t bad = 0;  // no early exit: the loop stays vectorizable
  for (const float value : values) {
    bad |= static_cast<std::uint32_t>((std::bit_cast<std::uint32_t>(value) & kExponent) == kExponent);
  }
  return bad == 0;
}

std::string describe_layer(const std::string& name) {
  return "layer '" + name.substr(0, name.rfind('.')) + "' (" + name + ")";
}

std::optional<std::string> find_non_finite_state(Module& net) {
  for (const NamedParameter& p : named_parameters(net)) {
    if (!all_finite(p.parameter->variable.value().values())) return describe_layer(p.name);
  }
  for (const NamedBuffer& b : named_buffers(net)) {
    if (!all_finite(b.buffer->values())) return describe_layer(b.name);
  }
  return std::nullopt;
}

std::string find_non_finite_layer(const Context& ctx, Module& net, const Tensor& pictures) {
  Context looking = ctx;
  looking.grad = GradMode::Off;
  std::string found;
  (void)net.watch(looking, Variable(pictures), "", [&](const std::string& name, const Variable& output) {
    if (found.empty() && !all_finite(output.value().values())) found = name;
  });
  if (found.empty()) return "the loss";
  return "the output of layer '" + found + "'";
}

}  // namespace bitplane::train
