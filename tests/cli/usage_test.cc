// SPDX-License-Identifier: Apache-2.0
//
// What a user who errs gets, and --help.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "bitplane/model_spec.h"
#include "cli/command.h"
#include "engine/cli/shared/exit_code.h"

namespace bitplane::testing {
namespace {

/// As --help lists them.
std::vector<std::string> subcommands() {
  std::istringstream help(run_command({"--help"}).out);
  std::vector<std::string> names;
  std::string line;
  while (std::getline(help, line) && line != "Subcommands:") continue;
  while (std::getline(help, line) && line.starts_with("  "))
    names.push_back(line.substr(2, line.find(' ', 2) - 2));
  return names;
}

TEST(Usage, HelpShowsExamplesFirst) {
  const std::vector<std::string> all = subcommands();
  EXPECT_GE(all.size(), 11U);
  for (const std::string& subcommand : all) {
    SCOPED_TRACE(subcommand);
    const Outcome help = run_command({subcommand, "--help"});
    expect_success(help);
    EXPECT_TRUE(help.out.starts_with("Examples:\n  bitplane " + subcommand)) << help.out;
    expect_contains(help.out, "Usage: bitplane " + subcommand);
    expect_contains(help.out, "--json");
  }
  const Outcome help = run_command({"--help"});
  expect_success(help);
  EXPECT_TRUE(help.out.starts_with("Examples:\n")) << help.out;
  for (const cli::ExitCodeInfo& code : cli::kExitCodes) {
    expect_contains(help.out, std::to_string(static_cast<int>(code.code)) + " ");
    expect_contains(help.out, std::string(code.meaning));
  }
}

TEST(Usage, VersionSaysFormatAndIsas) {
  const Outcome text = run_command({"--version"});
  expect_success(text);
  EXPECT_TRUE(text.out.starts_with("bitplane ")) << text.out;
  expect_contains(text.out, "scalar");
  const Outcome document = run_command({"--version", "--json"});
  expect_success(document);
  const auto json = nlohmann::json::parse(document.out);
  EXPECT_EQ(json.at("format_version"), engine::kFormatVersion);
  EXPECT_EQ(json.at("isas_built").at(0), "scalar");
  EXPECT_EQ(json.at("isas_present").at(0), "scalar");
}

TEST(Usage, MistypedNamesGetTheNearestOne) {
  expect_refusal(run_command({"evla", "a.safetensors"}), 2, {"subcommand 'evla'", "did you mean 'eval'?"});
  expect_refusal(run_command({"eval", "a", "--data", "synthetic", "--thread=2"}), 2,
                 {"'--thread'", "did you mean --threads?"});
  expect_refusal(run_command({"--versoin"}), 2, {"'--versoin'", "did you mean --version?"});
  expect_refusal(run_command({"pictures", "--data", "fashion-minst", "--out", "/nowhere/x"}), 2,
                 {"data set 'fashion-minst'", "did you mean 'fashion-mnist'?"});
}

TEST(Usage, WhatIsMissingOrTooMuchIsNamed) {
  expect_refusal(run_command({}), 2, {"a subcommand is missing", "info, run, eval"});
  expect_refusal(run_command({"info"}), 2, {"MODEL", "bitplane info --help"});
  expect_refusal(run_command({"run", "model"}), 2, {"PICTURE"});
  expect_refusal(run_command({"eval", "model"}), 2, {"--data"});
  expect_refusal(run_command({"info", "a", "b"}), 2, {"unexpected argument 'b'"});
  expect_refusal(run_command({"info", "a", "kernels"}), 2, {"unexpected argument 'kernels'"});
  expect_refusal(run_command({"--json", "kernels"}), 2, {"--json", "behind 'kernels'"});
  expect_refusal(run_command({"--version", "7"}), 2, {"unexpected argument '7'"});
  expect_refusal(run_command({"bench", "a", "--batch", "0"}), 2, {"--batch"});
  expect_refusal(run_command({"bench", "a", "--threads", "two"}), 2, {"--threads", "two"});
  expect_refusal(run_command({"run", "a", "b", "--fit", "stretch"}), 2,
                 {"--fit", "stretch", "resize", "crop"});
}

TEST(Usage, NumbersAreReadAsWrittenOrRefusedWithTheirRange) {
  const auto refused = [](const std::vector<std::string>& command, const std::string& flag,
                          const std::string& range) {
    for (const char* text : {"", "-1", "+1", "0x1", "1.5", "1e3", "two", "99999999999999999999999"}) {
      std::vector<std::string> arguments = command;
      arguments.insert(arguments.end(), {flag, text});
      expect_refusal(run_command(arguments), 2,
                     {flag + " is '" + text + "': it takes a whole number from " + range +
                      "; see: bitplane " + command.front() + " --help"});
    }
  };
  refused({"bench", "m"}, "--warm-up", "0 to 16777216");
  refused({"bench", "m"}, "--repetitions", "1 to 16777216");
  refused({"bench", "m"}, "--batch", "1 to 65536");
  refused({"explain", "m"}, "--repetitions", "1 to 65536");
  refused({"run", "m", "p"}, "--top", "1 to 1000000");
  for (const char* command : {"pictures", "dump"}) {
    refused({command, "--data", "synthetic", "--out", "x"}, "--first", "0 to 1000000000");
    refused({command, "--data", "synthetic", "--out", "x"}, "--count", "1 to 1000000000");
  }
  for (const char* command : {"eval", "verify", "bench", "compare", "dump"})
    refused({command, "m"}, "--threads", "1 to 1024");
  expect_refusal(run_command({"bench", "m", "--threads", "1025"}), 2, {"a whole number from 1 to 1024"});
  expect_refusal(run_command({"run", "m", "p", "--top", "0"}), 2, {"--top is '0'"});
}

TEST(Usage, KernelsListsTheRegistry) {
  const Outcome text = run_command({"kernels"});
  expect_success(text);
  expect_contains(text.out, "scalar");
  const Outcome document = run_command({"kernels", "--json"});
  expect_success(document);
  const auto json = nlohmann::json::parse(document.out);
  ASSERT_FALSE(json.empty());
  for (const auto& kernel : json) {
    EXPECT_TRUE(kernel.at("kernel").is_string());
    EXPECT_TRUE(kernel.at("present").is_boolean());
  }
}

TEST(Usage, AFullDiskIsNoticed) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP();
  const TemporaryFolder folder;
  const std::string line = quoted(BITPLANE_COMMAND) + " kernels >/dev/full 2>" + quoted(folder.file("err"));
  const int status = std::system(line.c_str());
  EXPECT_EQ(WEXITSTATUS(status), 5);
  const Bytes err = read_bytes(folder.file("err"));
  expect_contains({err.begin(), err.end()}, "disk full");
}

}  // namespace
}  // namespace bitplane::testing
