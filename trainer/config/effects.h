// SPDX-License-Identifier: Apache-2.0
//
// Settings that count only beside another one: drops with schedule step, beta2 with Adam.
#pragma once

#include <functional>
#include <set>
#include <span>
#include <string>

#include "trainer/config/config.h"

namespace bitplane::train {

/// Throws std::invalid_argument where one of the fields `given` on a command line has an effect in none of
/// `configs`, saying what it goes with in the first one. Files may hold such settings: they hold all of a
/// run's.
void refuse_without_effect(std::span<const Config> configs, const std::set<std::string, std::less<>>& given);

}  // namespace bitplane::train
