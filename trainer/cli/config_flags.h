// SPDX-License-Identifier: Apache-2.0
//
// Settings of a run as flags: one per field of the config.
#pragma once

#include <functional>
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

/// What --help says of a field; "": nothing, the flag is known only so that it can be refused with a reason.
using FieldHelp = std::function<std::string(const ConfigField&)>;
[[nodiscard]] std::string own_help(const ConfigField& field);

/// One flag per field, so that no field can be forgotten, and --option. They fill what `flags` points into.
void declare_config_flags(CLI::App& app, const std::shared_ptr<ConfigFlags>& flags,
                          const FieldHelp& help_of = own_help);
/// What was given, options included. Throws std::invalid_argument.
[[nodiscard]] PartialConfig take_flags(const ConfigFlags& flags);

}  // namespace bitplane::train
