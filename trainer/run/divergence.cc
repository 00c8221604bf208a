// SPDX-License-Identifier: Apache-2.0
#include "trainer/run/divergence.h"

#include <bit>
#include <cstdint>

#include "trainer/nn/sequential.h"

namespace bitplane::train {
namespace {

/// Runs the leaves one by one; false as soon as one's output is not finite, its name then in `found`.
bool run_leaves(const Context& ctx, Module& module, const std::string& name, Variable& x,
                std::string& found) {
  if (auto* sequential = dynamic_cast<Sequential*>(&module)) {
    for (const Sequential::Child& child : sequential->children()) {
      const std::string path = name.empty() ? child.name : name + "." + child.name;
      if (!run_leaves(ctx, *child.module, path, x, found)) return false;
    }
    return true;
  }
  x = module.forward(ctx, x);
  if (all_finite(x.value().values())) return true;
  found = name;
  return false;
}

}  // namespace

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
  Context looking{.backend = ctx.backend, .mode = ctx.mode, .grad = GradMode::Off, .fusion = Fusion::Off};
  Variable x(pictures);
  std::string found;
  if (run_leaves(looking, net, "", x, found)) return "the loss";
  return "the output of layer '" + found + "'";
}

}  // namespace bitplane::train
