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

std::string flag_named(std::string_view name) {
  const auto fields = config_fields();
  return flag_of(*std::ranges::find(fields, name, &ConfigField::name));
}

}  // namespace

void refuse_without_effect(const Config& config, const std::set<std::string, std::less<>>& given) {
  for (const auto& [field, other, value, with] : kDependences) {
    const std::string& found = config.*value;
    const bool any = with[0].empty();
    const bool counts = any ? !found.empty() : std::ranges::find(with, found) != with.end();
    if (counts || !given.contains(field)) continue;
    std::string wanted = flag_named(other);
    if (!any) wanted += " " + std::string(with[0]);
    if (!with[1].empty()) wanted += " or " + std::string(with[1]);
    std::string why = "without ";
    if (!any) why = "with " + flag_named(other) + " " + found + ": it goes with ";
    why += wanted;
    throw std::invalid_argument(flag_named(field) + " has no effect " + why + "; leave it out, or give both");
  }
}

}  // namespace bitplane::train
