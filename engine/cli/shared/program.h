// SPDX-License-Identifier: Apache-2.0
//
// The frame that `bitplane` and `trainer` share. A program is one list of subcommands; each declares its
// flags and returns what to do once they are parsed:
//
//   Action declare_info(CLI::App& app) {
//     auto options = std::make_shared<InfoOptions>();
//     app.add_option("MODEL", options->model, "model file")->required();
//     return [options] { return info(*options); };
//   }
//   constexpr std::array kSubcommands{Subcommand{"info", "what a model consists of", "bitplane info a.st",
//   declare_info}}; int main(int argc, char** argv) { return run_program(kProgram, argc, argv); }
//
// Results go to stdout, messages to stderr. Whatever goes wrong, stderr gets one line, "<program>: error:
// ...", and the exit code is one of kExitCodes.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "engine/cli/shared/exit_code.h"

namespace bitplane::cli {

using Action = std::function<ExitCode()>;

struct Subcommand {
  std::string_view name;
  std::string_view summary;
  std::string_view examples;  ///< lines, shown first in --help
  Action (*declare)(CLI::App& app);
};

struct Program {
  std::string_view name;
  std::string_view summary;
  std::string_view examples;
  std::span<const Subcommand> subcommands;
};

/// Parses, runs, catches everything. Returns the exit code.
[[nodiscard]] int run_program(const Program& program, int argc, const char* const* argv) noexcept;

/// One line on stderr that is not an error: "note: ...".
void note(std::string_view text);

}  // namespace bitplane::cli
