// SPDX-License-Identifier: Apache-2.0
//
// Numbers on the command line are what they look like, or refused: with the flag, what was given and what it
// takes.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <variant>
#include <vector>

#include "trainer/config/config.h"
#include "trainer/run_support.h"
#include "trainer/trainer_command.h"

namespace bitplane::train {
namespace {

using testing::Arguments;
using testing::expect_refusal;
using testing::run;
using testing::TemporaryFolder;
using testing::train_arguments;
using testing::write_small_dataset;

constexpr const char* kAnyWhole = "a whole number from 0 to 18446744073709551615";

TEST(CommandNumbers, EveryFlagOfTrainRefusesWhatIsNoNumber) {
  const TemporaryFolder folder;
  for (const ConfigField& field : config_fields()) {
    if (std::holds_alternative<std::string Config::*>(field.member)) continue;
    const bool whole = std::holds_alternative<std::uint64_t Config::*>(field.member);
    std::vector<std::string> wrong{"", " 1", "1 ", "0x10", "two", "nan", "inf", "-1", "1,5"};
    if (whole) wrong.insert(wrong.end(), {"+1", "1.5", "1e3", "99999999999999999999999"});
    for (const std::string& text : wrong) {
      const std::string flag = flag_of(field);
      expect_refusal(run(folder, {"train", "--out", folder / "refused", flag, text}), 2,
                     flag + " is '" + text + "': it takes a " + (whole ? "whole " : "") + "number from ");
    }
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "refused"));
}

TEST(CommandNumbers, TheRangeIsThatOfTheSetting) {
  const TemporaryFolder folder;
  const auto train = [&](const char* flag, const char* text) {
    return run(folder, {"train", "--out", folder / "refused", flag, text});
  };
  expect_refusal(train("--seed", "-1"), 2, std::string("--seed is '-1': it takes ") + kAnyWhole);
  expect_refusal(train("--threads", "1025"), 2,
                 "--threads is '1025': it takes a whole number from 0 to 1024; see: trainer train --help");
  expect_refusal(train("--batch", "2000000"), 2, "a whole number from 1 to 1048576;");
  expect_refusal(train("--lr", "0"), 2, "--lr is '0': it takes a number from 1e-12 to 1000000;");
  expect_refusal(run(folder, {"quantize", "--threads", "-1"}), 2, "--threads is '-1': it takes a whole");
}

TEST(CommandNumbers, AFileOfSettingsHasTheSameRanges) {
  const TemporaryFolder folder;
  std::ofstream(folder / "c.json") << R"({"batch": 2000000})";
  expect_refusal(run(folder, {"train", "--config", folder / "c.json", "--out", folder / "refused"}), 2,
                 "batch is 2000000: it goes from 1 to 1048576\n");
}

TEST(CommandNumbers, DigitsAreDecimalAndFloatsScientific) {
  const TemporaryFolder folder;
  write_small_dataset(folder);
  const auto given = [&](const std::string& text, const std::string& rate) {
    return train_arguments(folder, "run" + text, {"--seed", text, "--lr", rate, "--epochs", "0"});
  };
  Arguments arguments = given("010", "+1e-2");
  arguments.erase(arguments.begin() + 3, arguments.begin() + 5);  // the epochs of train_arguments()
  const auto finished = run(folder, arguments);
  ASSERT_EQ(finished.code, 0) << finished.err;
  const Config config = RunFolder::open(folder / "run010").config();
  EXPECT_EQ(config.seed, 10U);
  EXPECT_EQ(config.lr, 0.01);
}

TEST(CommandNumbers, ThreadsHaveOneRangeInAllCommands) {
  const TemporaryFolder folder;
  for (const char* command : {"train", "import", "quantize", "eval", "resume"}) {
    for (const char* threads : {"-1", "1025", ""}) {
      expect_refusal(run(folder, {command, folder / "r", "--threads", threads}), 2,
                     std::string("--threads is '") + threads + "': it takes a whole number from 0 to 1024");
    }
  }
}

TEST(CommandNumbers, InitHasRangesToo) {
  const TemporaryFolder folder;
  const auto init = [&](const char* flag, const char* text) {
    return run(folder, {"init", "--net", "cnn-small", "--out", folder / "m.safetensors", flag, text});
  };
  expect_refusal(init("--classes", "-1"), 2, "--classes is '-1': it takes a whole number from 0 to 65536");
  expect_refusal(init("--size", "-1"), 2, "--size is '-1': it takes a whole number from 0 to 4096");
  expect_refusal(init("--wbits", "0x2"), 2, "--wbits is '0x2'");
  expect_refusal(init("--width", "nan"), 2, "--width is 'nan': it takes a number from 0.01 to 16");
  expect_refusal(init("--seed", ""), 2, std::string("--seed is '': it takes ") + kAnyWhole);
  EXPECT_FALSE(std::filesystem::exists(folder / "m.safetensors"));
}

}  // namespace
}  // namespace bitplane::train
