// SPDX-License-Identifier: Apache-2.0
#include "trainer/config/effects.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string_view>

namespace bitplane::train {
namespace {

struct Dependence {
  std::string_view field, other;         ///< `field` counts beside `other`
  std::string Config::*value;            ///< of `other`
  std::array<std::string_view, 2> with;  ///< the values beside which it counts; none: any
};
constexpr std::array kDependences{
    Dependence{"drops", "schedule", &Config::schedule, {"step"}},
    Dependence{"drop_factor", "schedule", &Config::schedule, {"step"}},
    Dependence{"power", "schedule", &Config::schedule, {"polynomial"}},
    Dependence{"start_divisor", "schedule", &Config::schedule, {"one-cycle"}},
    Dependence{"end_divisor", "schedule", &Config::schedule, {"one-cycle"}},
    Dependence{"beta2", "optimizer", &Config::optimizer, {"adam", "adamw"}},
    Dependence{"epsilon", "optimizer", &Config::optimizer, {"adam", "adamw"}},
    Dependence{"teacher_share", "teacher", &Config::teacher, {}},
    Dependence{"init_missing", "init_from", &Config::init_from, {}},
};

bool takes_any(const Dependence& dependence) {
  return dependence.with[0].empty();
}

bool counts_in(const Dependence& dependence, const Config& config) {
  const std::string& found = config.*dependence.value;
  return takes_any(dependence) ? !found.empty()
                               : std::ranges::find(dependence.with, found) != dependence.with.end();
}

std::string flag_named(std::string_view name) {
  const auto fields = config_fields();
  return flag_of(*std::ranges::find(fields, name, &ConfigField::name));
}

/// "without --teacher", "with --optimizer sgd: it goes with --optimizer adam or adamw".
std::string missing_for(const Dependence& dependence, const Config& config) {
  const std::string other = flag_named(dependence.other);
  if (takes_any(dependence)) return "without " + other;
  return "with " + other + " " + config.*dependence.value + ": it goes with " + other + " " +
         std::string(dependence.with[0]) +
         (dependence.with[1].empty() ? "" : " or " + std::string(dependence.with[1]));
}

}  // namespace

void refuse_without_effect(std::span<const Config> configs, const std::set<std::string, std::less<>>& given) {
  for (const Dependence& dependence : kDependences) {
    const auto counts = [&](const Config& config) { return counts_in(dependence, config); };
    if (!given.contains(dependence.field) || std::ranges::any_of(configs, counts)) continue;
    throw std::invalid_argument(flag_named(dependence.field) + " has no effect " +
                                missing_for(dependence, configs.front()) + "; leave it out, or give both");
  }
}

}  // namespace bitplane::train
