// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "case.h"
#include "runner.h"

namespace bitplane::bench {

struct Options {
  Selection selection;
  std::string filter;  ///< regular expression on row names; empty: all
  RunOptions run;
  int cpu = -1;  ///< the one to stay on; -1: the last that this process may use
  std::string json, markdown, compare;
  enum class Peers { Run, Leave } peers = Peers::Run;
  enum class Action { Run, List, Help, Selection } action = Action::Run;
  std::optional<kernels::Isa> serve_peer;
};

/// Throws std::invalid_argument with what to do.
[[nodiscard]] Options parse_options(int argc, char** argv);
[[nodiscard]] std::string help_text();

}  // namespace bitplane::bench
