// SPDX-License-Identifier: Apache-2.0
//
// Flags that take a number. CLI11 by itself reads no text as 0, 010 as 8 and -1 as the largest number.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "engine/cli/shared/number_text.h"
#include "engine/cli/shared/numbers.h"

namespace bitplane::cli {

template <class Range>
struct NumberFlag {
  std::string name, help;  ///< the help gets the range behind it
  Range range = {};
};
using WholeFlag = NumberFlag<WholeRange>;
using RealFlag = NumberFlag<RealRange>;

/// Gives the number to `set`, or refuses the command line: with the flag, what was given and what it takes.
CLI::Option* declare_number(CLI::App& app, const WholeFlag& flag,
                            const std::function<void(std::uint64_t)>& set);
CLI::Option* declare_number(CLI::App& app, const RealFlag& flag, const std::function<void(double)>& set);

/// Keeps the number in `value`; what is there before is the default that the help shows.
template <class Range, class Value>
CLI::Option* add_number(CLI::App& app, const NumberFlag<Range>& flag, Value& value) {
  const std::string before = shortest(static_cast<double>(value));
  return declare_number(app, flag, [&value](auto number) { value = number; })->default_str(before);
}

/// --threads, of every command that has it; `least` is 0 where that means as many as the machine has.
[[nodiscard]] WholeFlag threads_flag(const std::string& help, std::uint64_t least);

}  // namespace bitplane::cli
