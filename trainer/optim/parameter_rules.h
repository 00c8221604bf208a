// SPDX-License-Identifier: Apache-2.0
//
// Rates and decays of groups of parameters. A rule text, as the setting `groups` has it:
//
//   fc*: lr=0.01; role=quantizer: lr=0.01, decay=0; *.bias: decay=1
//
// In front of ':' stands a name pattern ('*' any characters, '?' one) or
// role=weight|bias|batch-norm|quantizer; behind it factors of the learning rate and of weight_decay. A later
// rule beats an earlier one, value by value. Without rules: the parameter's own factor of the rate
// (Parameter::learning_rate_factor), decay on weights alone.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "trainer/nn/module.h"

namespace bitplane::train {

struct ParameterRule {
  std::string selector;  ///< as written, for messages
  std::string pattern;   ///< "" when it selects by role
  std::optional<ParameterRole> role;
  std::optional<double> rate, decay;
};

/// Throws std::invalid_argument naming the part that is no rule (with the nearest known role or value).
[[nodiscard]] std::vector<ParameterRule> parse_parameter_rules(std::string_view text);

/// '*' any characters, '?' one.
[[nodiscard]] bool matches_pattern(std::string_view pattern, std::string_view name) noexcept;

struct ParameterFactors {
  double rate = 1.0, decay = 0.0;
};
/// One entry per parameter. Throws std::invalid_argument for a rule that selects nothing, with some names.
[[nodiscard]] std::vector<ParameterFactors> resolve_factors(std::span<const NamedParameter> parameters,
                                                            std::span<const ParameterRule> rules);

}  // namespace bitplane::train
