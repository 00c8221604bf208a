// SPDX-License-Identifier: Apache-2.0
//
// Runs the built `bitplane` as a user does, and catches what it says.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "data/support.h"

namespace bitplane::testing {

struct Outcome {
  int code = -1;
  std::string out, err;
};

inline std::string quoted(const std::string& text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

/// `environment`: assignments before the command, e.g. "BITPLANE_ISA=scalar".
inline Outcome run_command(const std::vector<std::string>& arguments, const std::string& environment = "") {
  const TemporaryFolder folder;
  std::string line = environment + " " + quoted(BITPLANE_COMMAND);
  for (const std::string& argument : arguments) line += " " + quoted(argument);
  line += " >" + quoted(folder.file("out")) + " 2>" + quoted(folder.file("err")) + " </dev/null";
  const int status = std::system(line.c_str());
  const Bytes out = read_bytes(folder.file("out")), err = read_bytes(folder.file("err"));
  return {.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          .out = {out.begin(), out.end()},
          .err = {err.begin(), err.end()}};
}

inline void expect_contains(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << "'" << part << "' is not in:\n" << text;
}

/// One clear line on stderr, nothing on stdout, the documented code.
inline void expect_refusal(const Outcome& outcome, int code, const std::vector<std::string>& parts) {
  EXPECT_EQ(outcome.code, code) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  EXPECT_TRUE(outcome.err.starts_with("bitplane: error: ")) << outcome.err;
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  for (const std::string& part : parts) expect_contains(outcome.err, part);
}

inline void expect_success(const Outcome& outcome) {
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
}

}  // namespace bitplane::testing
