// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "trainer/quantizers/lq_activations.h"
#include "trainer/quantizers/lq_basis.h"
#include "trainer/quantizers/lq_weights.h"
#include "trainer/quantizers/rows.h"

namespace bitplane::train {
namespace {

constexpr std::array<std::string_view, 2> kWays{"qem", "bp"};
constexpr std::array kLqOptions{
    OptionInfo{.name = "alternations",
               .help = "rounds of codes and basis per step (qem only)",
               .default_value = 1,
               .min = 1,
               .max = 10},
    OptionInfo{.name = "ema_debias",
               .help = "1: the moving average of a basis forgets its start at once (qem only)",
               .default_value = 0,
               .min = 0,
               .max = 1},
    OptionInfo{.name = "optimize",
               .help = "how the bases move: qem (least squares) or bp (by their gradient, for comparison)",
               .kind = OptionKind::Choice,
               .choices = kWays},
};

}  // namespace

std::span<const OptionInfo> lq_options() noexcept {
  return kLqOptions;
}

Parameter lq_parameter(const Shape& shape) {
  return {.variable = Variable(Tensor(shape), Gradient::Required),
          .role = ParameterRole::Quantizer,
          .init = {.rule = InitRule::AsMade}};
}

constexpr QuantizerInfo kLqNets{
    .name = "lq-nets",
    .description = "learned bit basis, per output channel (weights) and per layer (activations)",
    .weight_bits = {1, 8},
    .activation_bits = {1, 8},
    .weights = weight_maker<LqWeights>,
    .activations = activation_maker<LqActivations>,
    .weight_options = kLqOptions,
    .activation_options = kLqOptions};

}  // namespace bitplane::train
