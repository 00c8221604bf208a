// SPDX-License-Identifier: Apache-2.0
#include "trainer/optim/parameter_rules.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <utility>

#include "engine/data/nearest_name.h"

namespace bitplane::train {
namespace {

struct RoleName {
  std::string_view name;
  ParameterRole role;
};
constexpr std::array kRoleNames{
    RoleName{"weight", ParameterRole::Weight}, RoleName{"bias", ParameterRole::Bias},
    RoleName{"batch-norm", ParameterRole::BatchNorm}, RoleName{"quantizer", ParameterRole::Quantizer}};

constexpr std::string_view kRolePrefix = "role=";

[[noreturn]] void refuse(std::string_view part, const std::string& why) {
  throw std::invalid_argument("groups: '" + std::string(part) + "': " + why +
                              "; write rules as 'fc*: lr=0.01; role=quantizer: lr=0.01, decay=0'");
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(' ');
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto at = text.find(separator);
    if (const auto part = trimmed(text.substr(0, at)); !part.empty()) parts.push_back(part);
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

double parse_factor(std::string_view part, std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value) || value < 0) {
    refuse(part, "a factor is a number of at least 0");
  }
  return value;
}

ParameterRole parse_role(std::string_view name) {
  std::vector<std::string_view> known;
  for (const RoleName& role : kRoleNames) {
    if (role.name == name) return role.role;
    known.push_back(role.name);
  }
  throw std::invalid_argument("groups: " +
                              engine::data::unknown_name_message("role", std::string(name), known));
}

ParameterRule parse_rule(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) refuse(text, "there is no ':' behind the names");
  ParameterRule rule;
  const std::string_view selector = trimmed(text.substr(0, colon));
  if (selector.empty()) refuse(text, "it says no names");
  rule.selector = selector;
  if (selector.starts_with(kRolePrefix)) {
    rule.role = parse_role(trimmed(selector.substr(kRolePrefix.size())));
  } else {
    rule.pattern = selector;
  }
  for (const std::string_view value : split(text.substr(colon + 1), ',')) {
    const auto equals = value.find('=');
    const std::string_view key = trimmed(value.substr(0, equals));
    if (equals == std::string_view::npos || (key != "lr" && key != "decay")) {
      refuse(value, "a rule sets lr=FACTOR and decay=FACTOR");
    }
    (key == "lr" ? rule.rate : rule.decay) = parse_factor(value, trimmed(value.substr(equals + 1)));
  }
  if (!rule.rate && !rule.decay) refuse(text, "it sets neither lr nor decay");
  return rule;
}

bool selects(const ParameterRule& rule, const NamedParameter& parameter) {
  return rule.role ? *rule.role == parameter.parameter->role : matches_pattern(rule.pattern, parameter.name);
}

[[noreturn]] void refuse_unmatched(const ParameterRule& rule, std::span<const NamedParameter> parameters) {
  std::string names;
  for (std::size_t i = 0; i < std::min<std::size_t>(parameters.size(), 4); ++i) {
    names += (i == 0 ? "" : ", ") + parameters[i].name;
  }
  throw std::invalid_argument("groups: '" + rule.selector + "' selects no parameter of this net; they are " +
                              names + (parameters.size() > 4 ? ", ..." : ""));
}

}  // namespace

std::vector<ParameterRule> parse_parameter_rules(std::string_view text) {
  std::vector<ParameterRule> rules;
  for (const std::string_view part : split(text, ';')) rules.push_back(parse_rule(part));
  return rules;
}

bool matches_pattern(std::string_view pattern, std::string_view name) noexcept {
  std::size_t p = 0, n = 0, star = std::string_view::npos, resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

std::vector<ParameterFactors> resolve_factors(std::span<const NamedParameter> parameters,
                                              std::span<const ParameterRule> rules) {
  std::vector<ParameterFactors> factors;
  for (const NamedParameter& p : parameters) {
    factors.push_back({.rate = static_cast<double>(p.parameter->learning_rate_factor),
                       .decay = p.parameter->role == ParameterRole::Weight ? 1.0 : 0.0});
  }
  for (const ParameterRule& rule : rules) {
    std::size_t selected = 0;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      if (!selects(rule, parameters[i])) continue;
      ++selected;
      if (rule.rate) factors[i].rate = *rule.rate;
      if (rule.decay) factors[i].decay = *rule.decay;
    }
    if (selected == 0) refuse_unmatched(rule, parameters);
  }
  return factors;
}

}  // namespace bitplane::train
