// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/shared/help.h"

#include <sstream>

#include "engine/cli/shared/exit_code.h"

namespace bitplane::cli {

std::string ExamplesFirst::make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const {
  std::string text;
  if (mode == CLI::AppFormatMode::Normal && !examples_.empty()) {
    text = "Examples:\n";
    std::istringstream lines(examples_);
    for (std::string line; std::getline(lines, line);) text += "  " + line + "\n";
    text += "\n";
  }
  return text + CLI::Formatter::make_help(app, std::move(name), mode);
}

std::string exit_code_help() {
  std::string text = "Exit codes:";
  for (const ExitCodeInfo& info : kExitCodes) {
    const std::string code = std::to_string(static_cast<int>(info.code));
    text += "\n  " + code + std::string(5 - code.size(), ' ') + std::string(info.meaning);
  }
  return text;
}

}  // namespace bitplane::cli
