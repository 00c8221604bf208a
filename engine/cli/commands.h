// SPDX-License-Identifier: Apache-2.0
//
// The subcommands of `bitplane`, one file each. kSubcommands in main.cc is the one list.
#pragma once

#include "engine/cli/shared/program.h"

namespace bitplane::cli {

Action declare_info(CLI::App& app);
Action declare_run(CLI::App& app);
Action declare_eval(CLI::App& app);
Action declare_verify(CLI::App& app);
Action declare_bench(CLI::App& app);
Action declare_explain(CLI::App& app);
Action declare_compare(CLI::App& app);
Action declare_kernels(CLI::App& app);
Action declare_pictures(CLI::App& app);
Action declare_export(CLI::App& app);
Action declare_dump(CLI::App& app);

}  // namespace bitplane::cli
