// SPDX-License-Identifier: Apache-2.0
//
// The subcommands of `trainer`, one file each; main.cc holds the one list.
#pragma once

#include "engine/cli/shared/program.h"

namespace bitplane::train {

[[nodiscard]] cli::Action declare_train(CLI::App& app);
[[nodiscard]] cli::Action declare_import(CLI::App& app);
[[nodiscard]] cli::Action declare_quantize(CLI::App& app);
[[nodiscard]] cli::Action declare_resume(CLI::App& app);
[[nodiscard]] cli::Action declare_eval(CLI::App& app);
[[nodiscard]] cli::Action declare_export(CLI::App& app);
[[nodiscard]] cli::Action declare_init(CLI::App& app);
[[nodiscard]] cli::Action declare_list(CLI::App& app);

}  // namespace bitplane::train
