// SPDX-License-Identifier: Apache-2.0
//
// Settings of a run as flags: one per field of the config.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/cli/shared/program.h"
#include "trainer/config/config.h"

namespace bitplane::train {

struct ConfigFlags {
  PartialConfig given;
  std::vector<std::string> method_options;  ///< NAME=VALUE
};

/// One flag per field, so that no field can be forgotten, and --option. They fill what `flags` points into.
void declare_config_flags(CLI::App& app, const std::shared_ptr<ConfigFlags>& flags);
/// What was given, options included. Throws std::invalid_argument.
[[nodiscard]] PartialConfig take_flags(const ConfigFlags& flags);

}  // namespace bitplane::train
