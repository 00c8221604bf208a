// SPDX-License-Identifier: Apache-2.0
//
// The promise that no work is lost: a run that is killed again and again, wherever it happens to be, ends
// with the bytes of one that was left alone.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <random>
#include <set>
#include <thread>

#include "trainer/checkpoint/checkpoint.h"
#include "trainer/event_reader.h"
#include "trainer/trainer_command.h"

namespace bitplane::train {
namespace {

using testing::Arguments;
using testing::Command;
using testing::Finished;
using testing::TemporaryFolder;
using Clock = std::chrono::steady_clock;

constexpr int kKills = 20;

Arguments run_arguments(const TemporaryFolder& folder, const std::string& name) {
  return testing::train_arguments(
      folder, name,
      {"--checkpoint-every", "2", "--ema", "0.9", "--optimizer", "adam", "--lr", "0.002", "--clip-norm", "5"},
      "30");
}

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Trains or resumes the run in `path`, and kills that after `delay` seconds unless it ended by itself.
Finished go_on(const TemporaryFolder& folder, const std::string& name, double delay) {
  const bool begun = std::filesystem::exists(folder / (name + "/config.json"));
  Command command(folder, begun ? Arguments{"resume", folder / name} : run_arguments(folder, name));
  const auto start = Clock::now();
  while (seconds_since(start) < delay && !command.ended()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  command.kill();
  return command.wait();
}

std::vector<EpochRow> timeless_rows(const std::string& run) {
  auto rows = RunFolder::open(run).read_metrics(1000);
  for (EpochRow& row : rows) row.seconds = row.images_per_second = 0;
  return rows;
}

/// What the steps say, without the clock; no step and tag may be there twice.
std::vector<std::pair<std::uint64_t, std::string>> events_without_times(const std::string& run) {
  std::vector<std::pair<std::uint64_t, std::string>> points;
  std::set<std::pair<std::uint64_t, std::string>> seen;
  for (const auto& event : testing::EventReader(read_file_text(RunFolder::open(run).events())).all()) {
    for (const auto& [tag, value] : event.scalars) {
      EXPECT_TRUE(seen.emplace(event.step, tag).second)
          << tag << " of step " << event.step << " is there twice";
      if (tag == "train/images_per_second") continue;
      points.emplace_back(event.step, tag + " " + std::to_string(value));
    }
  }
  return points;
}

TEST(Killed, TwentyTimesAtRandomMomentsARunEndsWithTheSameBytes) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  const TemporaryFolder folder;
  testing::write_small_dataset(folder);
  const auto start = Clock::now();
  const Finished whole = testing::run(folder, run_arguments(folder, "whole"));
  ASSERT_EQ(whole.code, 0) << whole.err;
  const double seconds = seconds_since(start);

  // Long enough to reach the steps, short enough that all kills come before the end; when the run ends early
  // all the same, what is killed is the evaluation and the export.
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> delay(0.0, 0.1 + seconds / 15);
  int kills = 0, attempts = 0;
  std::uint64_t kills_in_training = 0;
  while (kills < kKills && attempts++ < 40 * kKills) {
    const Finished finished = go_on(folder, "killed", delay(random));
    if (finished.code == -SIGKILL) {
      ++kills;
      kills_in_training += std::filesystem::exists(folder / "killed/result.json") ? 0 : 1;
    } else {
      ASSERT_EQ(finished.code, 0) << finished.err;
    }
  }
  ASSERT_EQ(kills, kKills);
  EXPECT_GE(kills_in_training, 5U) << "most kills should hit the training itself";
  const Finished end = go_on(folder, "killed", 1000.0);
  ASSERT_EQ(end.code, 0) << end.err;

  for (const char* file :
       {"model.safetensors", "checkpoint-last.safetensors", "checkpoint-best.safetensors", "result.json"}) {
    EXPECT_TRUE(read_file_text(folder / (std::string("killed/") + file)) ==
                read_file_text(folder / (std::string("whole/") + file)))
        << file;
  }
  EXPECT_EQ(timeless_rows(folder / "killed"), timeless_rows(folder / "whole"));
  EXPECT_EQ(events_without_times(folder / "killed"), events_without_times(folder / "whole"));
  for (const auto& entry : std::filesystem::directory_iterator(folder / "killed")) {
    EXPECT_EQ(entry.path().string().find(".tmp-"), std::string::npos) << entry.path() << " was left behind";
  }
}

/// While it lives, no file may grow beyond some bytes: the nearest thing to a full disk that needs no disk.
class SmallFilesOnly {
 public:
  explicit SmallFilesOnly(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{.rlim_cur = bytes, .rlim_max = before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~SmallFilesOnly() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  SmallFilesOnly(const SmallFilesOnly&) = delete;
  SmallFilesOnly& operator=(const SmallFilesOnly&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int);
};

TEST(FullDisk, LaterOnItStopsTheRunAndKeepsTheLastGoodCheckpoint) {
  const TemporaryFolder folder;
  const TrainingData data = testing::small_data(100, 40);
  Config config = testing::small_config(folder / "run");
  config.checkpoint_every = 1;
  std::string before;
  {
    Training training = Training::start(config, data);
    before = read_file_text(training.folder().checkpoint(Which::Last));
    const SmallFilesOnly full(100'000);
    try {
      (void)training.run(testing::silent());
      FAIL() << "the checkpoint must not fit";
    } catch (const cli::CommandError& error) {
      EXPECT_EQ(error.code(), cli::ExitCode::SystemRefused) << error.what();
      EXPECT_NE(std::string(error.what()).find("go on with: trainer resume"), std::string::npos)
          << error.what();
    }
  }
  EXPECT_EQ(read_file_text(config.out + "/checkpoint-last.safetensors"), before);
  Training resumed = Training::resume(RunFolder::open(config.out), data, 2);
  EXPECT_EQ(resumed.run(testing::silent()), Outcome::Finished);
}

}  // namespace
}  // namespace bitplane::train
