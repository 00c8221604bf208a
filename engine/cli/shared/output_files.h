// SPDX-License-Identifier: Apache-2.0
//
// Where a command may write. Asked before anything is computed, so that nothing is lost by a wrong path.
#pragma once

#include <string>
#include <vector>

namespace bitplane::cli {

/// A file that a flag says to write.
struct Target {
  std::string flag, path;     ///< no path: not given
  std::string own_file = {};  ///< of the files that a run keeps, the one that may be written anew
};

struct OutputPlan {
  std::vector<Target> targets;
  std::vector<std::string> inputs = {};  ///< files that the command reads
  std::string data_folder = {};          ///< of a data set that it reads
};

/// Where the data set `name` is read from: `dir`, or its usual place.
[[nodiscard]] std::string data_folder(const std::string& name, const std::string& dir);

/// Throws CommandError unless each target is a file in a folder that is there and takes files, is neither an
/// input nor another target, and is nothing that a run or a procedure keeps in its folder. Paths are compared
/// by what they lead to, through links too.
void check_targets(const OutputPlan& plan);

}  // namespace bitplane::cli
