// SPDX-License-Identifier: Apache-2.0
//
// CLI11's parse errors in the house's form: one line, the nearest known name, where to read more.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "engine/cli/shared/errors.h"

namespace bitplane::cli {

/// Throws when the first argument is neither a flag nor a subcommand; CLI11 would only say that one is
/// missing.
void refuse_unknown_subcommand(const CLI::App& app, int argc, const char* const* argv);

[[nodiscard]] CommandError usage_error(const CLI::App& app, const CLI::ParseError& error);
/// `flag` stands in front of the subcommand `asked`.
[[nodiscard]] CommandError misplaced_flag(const CLI::App& asked, const std::string& flag);
[[nodiscard]] CommandError no_subcommand(const CLI::App& app);

}  // namespace bitplane::cli
