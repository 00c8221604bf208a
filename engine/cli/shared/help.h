// SPDX-License-Identifier: Apache-2.0
//
// --help with the examples first: most readers want a line to copy.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <utility>

namespace bitplane::cli {

class ExamplesFirst : public CLI::Formatter {
 public:
  explicit ExamplesFirst(std::string examples) : examples_(std::move(examples)) {}
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override;

 private:
  std::string examples_;
};

/// kExitCodes as text.
[[nodiscard]] std::string exit_code_help();

}  // namespace bitplane::cli
