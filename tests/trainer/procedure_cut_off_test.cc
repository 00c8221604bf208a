// SPDX-License-Identifier: Apache-2.0
//
// Procedures that were cut off where a kill, or somebody who frees disk space, can leave them.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "trainer/procedure_support.h"

namespace bitplane::train {
namespace {

namespace fs = std::filesystem;
using testing::Arguments;
using testing::Finished;
using testing::run;

/// MLQ on 2-bit activations: its first stage measures losses.
class CutOff : public testing::FromFloatRun {
 protected:
  [[nodiscard]] Arguments arguments(const std::string& out, const Arguments& more = {}) const {
    Arguments all{"--method",
                  "mlq",
                  "--abits",
                  "2",
                  "--option",
                  "conv_groups=1",
                  "--option",
                  "linear_groups=0",
                  "--checkpoint-every",
                  "1"};
    all.insert(all.end(), more.begin(), more.end());
    return quantize(out, all);
  }
  /// Goes on, and compares every file that has no clock in it.
  void expect_ends_as_whole(const std::string& out) const {
    SCOPED_TRACE(out);
    expect_done({"resume", folder_ / out});
    testing::expect_same_procedure(folder_, out, "whole", {"1-boundaries-1", "2-hearts-1"});
  }
};

TEST_F(CutOff, BetweenStagesAndInsideThemItEndsWithTheSameBytes) {
  expect_done(arguments("whole"));
  expect_done(arguments("between", {"--until", "boundaries-1"}));
  // After the preparation and before the first checkpoint.
  fs::create_directories(folder_ / "prepared/1-boundaries-1");
  for (const char* file : {"/procedure.json", "/1-boundaries-1/config.json"})
    fs::copy_file(folder_ / (std::string("between") + file), folder_ / (std::string("prepared") + file));
  forget_result("prepared", 0);
  write_file_text(folder_ / "prepared/1-boundaries-1.prepared.json", "{\"before\": \"somebody\"}\n");
  // In the steps of a stage that was prepared.
  testing::Command command(folder_, arguments("inside"));
  while (!exists("inside/2-hearts-1/checkpoint-last.safetensors") && !command.ended())
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  command.kill();
  static_cast<void>(command.wait());
  for (const char* out : {"between", "prepared", "inside"}) expect_ends_as_whole(out);
}

TEST_F(CutOff, ADeletedStageIsNotRunAgainForOneThatIsUnderWay) {
  expect_done(quantize("q", {"--method", "gdrq"}));
  const std::string model = read_file_text(folder_ / "q/2-fine-tune/model.safetensors");
  forget_result("q", 1);
  fs::remove_all(folder_ / "q/1-reshape");
  const Finished rest = run(folder_, {"resume", folder_ / "q", "--json"});
  ASSERT_EQ(rest.code, 0) << rest.err;
  EXPECT_EQ(nlohmann::json::parse(rest.out).at("ran").size(), 1U);
  EXPECT_FALSE(exists("q/1-reshape"));
  EXPECT_TRUE(read_file_text(folder_ / "q/2-fine-tune/model.safetensors") == model);
  // One that had not begun is nothing to go on from.
  forget_result("q", 1);
  for (const char* file : {"checkpoint-last.safetensors", "checkpoint-best.safetensors", "metrics.csv",
                           "metrics.jsonl", "result.json", "model.safetensors"})
    fs::remove(folder_ / ("q/2-fine-tune/" + std::string(file)));
  const Finished both = run(folder_, {"resume", folder_ / "q", "--json"});
  ASSERT_EQ(both.code, 0) << both.err;
  EXPECT_EQ(nlohmann::json::parse(both.out).at("ran").size(), 2U);
}

/// The stage's only step is its last one, so there is nothing to stop in it; the next stage must not begin.
TEST_F(CutOff, AnInterruptInAStagesLastStepStopsTheProcedure) {
  for (int attempt = 0; attempt < 8; ++attempt) {
    const std::string out = "q" + std::to_string(attempt);
    testing::Command command(folder_, quantize(out, {"--method", "qil", "--batch", "96"}));
    while (!exists(out + "/1-5-bits/events.out.tfevents.0.bitplane") && !command.ended())
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    command.interrupt();
    const bool in_stage = !exists(out + "/1-5-bits/result.json") && !command.ended();
    const Finished stopped = command.wait();
    if (in_stage) {
      ASSERT_NE(stopped.code, 0) << "the signal was lost";
    }
    // Where the machine was busy, the signal came before or behind the moment that is meant.
    if (stopped.code != 130 || !exists(out + "/1-5-bits/result.json") ||
        exists(out + "/2-4-bits/metrics.csv"))
      continue;
    EXPECT_FALSE(exists(out + "/2-4-bits")) << stopped.err;
    EXPECT_NE(stopped.err.find("the whole procedure goes on with: trainer resume"), std::string::npos);
    expect_done({"resume", folder_ / out});
    return;
  }
  GTEST_SKIP() << "the moment was missed in every attempt";
}

}  // namespace
}  // namespace bitplane::train
