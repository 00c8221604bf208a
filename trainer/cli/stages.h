// SPDX-License-Identifier: Apache-2.0
//
// What `quantize` and `resume` do with a procedure's folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "trainer/cli/common.h"
#include "trainer/procedures/folder.h"

namespace bitplane::train {

struct StageRequest {
  std::string folder = {};
  std::vector<std::string> only = {};  ///< names; empty: all
  std::string until = {};              ///< the last one to run; empty: the procedure's
  std::string data_dir = {};           ///< empty: as the procedure has it
  std::optional<std::uint64_t> threads = {};
  cli::Format format = cli::Format::Text;
};

/// Their indices, ascending. Throws std::invalid_argument for unknown names and where none is left.
[[nodiscard]] std::vector<std::size_t> selected_stages(const ProcedurePlan& plan,
                                                       const StageRequest& request);

/// Runs what is not done of the requested stages, in order: an unfinished stage goes on at its checkpoint.
[[nodiscard]] cli::ExitCode run_stages(ProcedureFolder folder, const StageRequest& request);

}  // namespace bitplane::train
