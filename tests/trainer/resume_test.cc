// SPDX-License-Identifier: Apache-2.0
//
// A run that was stopped and resumed leaves the same bytes as one that was not, wherever it was stopped; so
// do runs with other numbers of threads.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "trainer/checkpoint/file.h"
#include "trainer/run/loaded_run.h"
#include "trainer/run/training.h"
#include "trainer/run_support.h"

namespace bitplane::train {
namespace {

using testing::silent;
using testing::small_config;
using testing::TemporaryFolder;

/// 100 pictures in batches of 32: four steps an epoch, the last one smaller.
constexpr std::size_t kStepsPerEpoch = 4;
const TrainingData& data() {
  static const TrainingData small = testing::small_data(100, 40);
  return small;
}

std::string last_checkpoint(const Training& training) {
  return read_file_text(training.folder().checkpoint(Which::Last));
}

std::string best_checkpoint(const Training& training) {
  return read_file_text(training.folder().checkpoint(Which::Best));
}

/// Rows without what the clock says.
std::vector<EpochRow> timeless(std::vector<EpochRow> rows) {
  for (EpochRow& row : rows) row.seconds = row.images_per_second = 0;
  return rows;
}

struct RunBytes {
  std::string last, best;
  std::vector<EpochRow> rows;
};

RunBytes whole_run(const Config& config) {
  Training training = Training::start(config, data());
  EXPECT_EQ(training.run(silent()), Outcome::Finished);
  return {last_checkpoint(training), best_checkpoint(training), timeless(training.rows())};
}

class Resume : public ::testing::TestWithParam<std::size_t> {};

TEST_P(Resume, LeavesTheSameBytesWhereverTheRunWasStopped) {
  const TemporaryFolder folder;
  static const RunBytes expected = [&] { return whole_run(small_config(folder / "whole")); }();
  const std::size_t stop_after = GetParam();
  {
    Training training = Training::start(small_config(folder / "stopped"), data());
    const auto stop = [&] { return training.progress().step == stop_after; };
    EXPECT_EQ(training.run(silent(stop)), Outcome::Stopped);
    EXPECT_EQ(training.progress().step, stop_after);
  }
  const RunFolder stopped = RunFolder::open(folder / "stopped");
  Training resumed = Training::resume(stopped, data(), 1);  // not the two threads that it started with
  EXPECT_EQ(resumed.progress().epoch, stop_after / kStepsPerEpoch);
  EXPECT_EQ(resumed.progress().step_in_epoch, stop_after % kStepsPerEpoch);
  EXPECT_EQ(resumed.run(silent()), Outcome::Finished);
  EXPECT_TRUE(last_checkpoint(resumed) == expected.last);
  EXPECT_TRUE(best_checkpoint(resumed) == expected.best);
  EXPECT_EQ(timeless(stopped.read_metrics(100)), expected.rows);
}
// In the middle of an epoch, after the last step but one, at an epoch's end, in the next epoch.
INSTANTIATE_TEST_SUITE_P(StoppedAfter, Resume, ::testing::Values(1, 3, 4, 6));

TEST(Resume, ARunThatWasKilledGoesOnAtItsLastCheckpoint) {
  const TemporaryFolder folder;
  Config config = small_config(folder / "whole");
  const RunBytes expected = whole_run(config);
  config.out = folder / "killed";
  config.checkpoint_every = 2;
  {
    // An exception out of the loop leaves the folder as a kill would: nothing is written after step 7.
    Training training = Training::start(config, data());
    TrainingListener listener = silent();
    listener.step = [&](const StepReport&) {
      if (training.progress().step == 7) throw std::runtime_error("killed");
    };
    EXPECT_THROW((void)training.run(listener), std::runtime_error);
  }
  Training resumed = Training::resume(RunFolder::open(config.out), data(), 2);
  EXPECT_EQ(resumed.progress().step, 6U);
  EXPECT_EQ(resumed.run(silent()), Outcome::Finished);
  EXPECT_TRUE(last_checkpoint(resumed) == expected.last);
}

TEST(Resume, FloatRunsToo) {
  const TemporaryFolder folder;
  const RunBytes expected = whole_run(small_config(folder / "whole", 32, 32));
  {
    Training training = Training::start(small_config(folder / "stopped", 32, 32), data());
    const auto stop = [&] { return training.progress().step == 5; };
    EXPECT_EQ(training.run(silent(stop)), Outcome::Stopped);
  }
  Training resumed = Training::resume(RunFolder::open(folder / "stopped"), data(), 3);
  EXPECT_EQ(resumed.run(silent()), Outcome::Finished);
  EXPECT_TRUE(last_checkpoint(resumed) == expected.last);
}

TEST(Resume, AFinishedRunHasNothingLeftToDo) {
  const TemporaryFolder folder;
  const RunBytes expected = whole_run(small_config(folder / "run"));
  Training again = Training::resume(RunFolder::open(folder / "run"), data(), 1);
  EXPECT_EQ(again.run(silent()), Outcome::Finished);
  EXPECT_TRUE(last_checkpoint(again) == expected.last);
}

TEST(Resume, OtherPicturesAreRefused) {
  const TemporaryFolder folder;
  { Training training = Training::start(small_config(folder / "run"), data()); }
  const TrainingData other = testing::small_data(99, 40);
  const auto message = testing::message_of<cli::CommandError>(
      [&] { (void)Training::resume(RunFolder::open(folder / "run"), other, 1); });
  EXPECT_NE(message.find("other data"), std::string::npos) << message;
}

TEST(Resume, ARunKilledBeforeItsFirstCheckpointBeginsAnew) {
  const TemporaryFolder folder;
  const RunBytes expected = whole_run(small_config(folder / "whole"));
  { Training training = Training::start(small_config(folder / "killed"), data()); }
  std::filesystem::remove(folder / "killed/checkpoint-last.safetensors");
  {
    Training again = Training::resume(RunFolder::open(folder / "killed"), data(), 1);
    EXPECT_EQ(again.run(silent()), Outcome::Finished);
    EXPECT_TRUE(last_checkpoint(again) == expected.last);
  }
  std::filesystem::remove(folder / "killed/checkpoint-last.safetensors");
  const auto message = testing::message_of<cli::CommandError>(
      [&] { (void)Training::resume(RunFolder::open(folder / "killed"), data(), 1); });
  EXPECT_NE(message.find("is gone"), std::string::npos) << message;
}

/// What resuming a copy of a run says after `files` were removed; "" when it goes on.
std::string refusal_without(const TemporaryFolder& folder, const std::string& run,
                            const std::vector<std::string>& files) {
  const std::string copy = folder / "copy";
  std::filesystem::remove_all(copy);
  std::filesystem::copy(folder / run, copy);
  for (const std::string& file : files) std::filesystem::remove(copy + "/" + file);
  return testing::message_of<cli::CommandError>([&] {
    Training training = Training::resume(RunFolder::open(copy), data(), 1);
    EXPECT_EQ(training.run(silent()), Outcome::Finished);
    EXPECT_EQ(training.rows().back().epoch, 2U);
  });
}

TEST(Resume, ARunWhoseCheckpointsAreGoneIsNotTrainedAgain) {
  const TemporaryFolder folder;
  (void)whole_run(small_config(folder / "run"));
  const std::string last = "checkpoint-last.safetensors", best = "checkpoint-best.safetensors";
  const std::string without_last = refusal_without(folder, "run", {last});
  EXPECT_NE(without_last.find("copy " + best), std::string::npos) << without_last;
  const std::string metrics = read_file_text(folder / "run/metrics.csv");
  for (const std::vector<std::string>& more :
       {std::vector<std::string>{}, {"metrics.csv"}, {"metrics.jsonl"}}) {
    std::vector<std::string> files{last, best};
    files.insert(files.end(), more.begin(), more.end());
    const std::string message = refusal_without(folder, "run", files);
    EXPECT_NE(message.find("copy/" + last + "' is gone, and metrics."), std::string::npos) << message;
    EXPECT_NE(message.find("another --out"), std::string::npos) << message;
  }
  std::filesystem::remove(folder / "copy/metrics.csv");
  write_file_text(folder / "copy/result.json", "{}");
  EXPECT_TRUE(RunFolder::has_begun(folder / "copy"));
  EXPECT_EQ(read_file_text(folder / "run/metrics.csv"), metrics);
}

TEST(Resume, RowsOfMetricsAreNotLostSilently) {
  const TemporaryFolder folder;
  {
    Training training = Training::start(small_config(folder / "stopped"), data());
    const auto stop = [&] { return training.progress().step == 5; };
    EXPECT_EQ(training.run(silent(stop)), Outcome::Stopped);
  }
  const std::string message = refusal_without(folder, "stopped", {"metrics.jsonl"});
  EXPECT_NE(message.find("metrics.jsonl' has 0 of the 1 epochs in metrics.csv"), std::string::npos)
      << message;
  EXPECT_NE(message.find("remove both to go on without"), std::string::npos) << message;
  EXPECT_EQ(refusal_without(folder, "stopped", {"metrics.csv"}), "");
  EXPECT_EQ(refusal_without(folder, "stopped", {"metrics.jsonl", "metrics.csv"}), "");
  write_file_text(folder / "stopped/metrics.jsonl", "{\"epoch\": 1}\n");
  const std::string damaged = refusal_without(folder, "stopped", {});
  EXPECT_NE(
      damaged.find("metrics.jsonl: line 1 is not a row of metrics; mend it, or remove it and metrics.csv"),
      std::string::npos)
      << damaged;
}

/// Writes the checkpoint again, with other counters.
void change_progress(const std::string& path, const char* name, const nlohmann::json& value) {
  const std::vector<std::byte> before = read_file_bytes(path);
  engine::Container container = cli::take(engine::parse_safetensors(before));
  nlohmann::json progress = nlohmann::json::parse(container.metadata.at("progress"));
  progress.at(name) = value;
  container.metadata["progress"] = progress.dump();
  const std::vector<std::byte> after = cli::take(engine::serialize_safetensors(container));
  write_file_text(path, {reinterpret_cast<const char*>(after.data()), after.size()});
}

TEST(Resume, CountersThatNoRunHasAreRefused) {
  const TemporaryFolder folder;
  {
    Training training = Training::start(small_config(folder / "run"), data());
    EXPECT_EQ(training.run(silent([&] { return training.progress().step == 6; })), Outcome::Stopped);
  }
  const std::string last = folder / "run/checkpoint-last.safetensors", kept = read_file_text(last);
  for (const auto& [name, value] : std::vector<std::pair<const char*, nlohmann::json>>{{"step_in_epoch", 4},
                                                                                       {"step_in_epoch", 9},
                                                                                       {"epoch", 2},
                                                                                       {"epoch", 7},
                                                                                       {"seen", 0},
                                                                                       {"correct", 99}}) {
    SCOPED_TRACE(name);
    write_file_text(last, kept);
    change_progress(last, name, value);
    const auto message = testing::message_of<cli::CommandError>(
        [&] { (void)Training::resume(RunFolder::open(folder / "run"), data(), 1); });
    EXPECT_NE(message.find(last + ": its counters are none that this run can have"), std::string::npos)
        << message;
    EXPECT_NE(message.find("checkpoint-best.safetensors beside it is whole (epoch 1)"), std::string::npos)
        << message;
  }
  std::filesystem::copy_file(folder / "run/checkpoint-best.safetensors", last,
                             std::filesystem::copy_options::overwrite_existing);
  Training again = Training::resume(RunFolder::open(folder / "run"), data(), 1);
  EXPECT_EQ(again.progress().step, kStepsPerEpoch) << "as the message says";
  EXPECT_EQ(again.run(silent()), Outcome::Finished);
}

TEST(Resume, ADamagedCheckpointIsToldWithTheOneBesideIt) {
  const TemporaryFolder folder;
  (void)whole_run(small_config(folder / "run"));
  const auto refusal = [&](Which which) {
    return testing::message_of<cli::CommandError>([&] { (void)load_run(folder / "run", which); });
  };
  write_file_text(folder / "run/checkpoint-last.safetensors", "short");
  EXPECT_NE(refusal(Which::Last).find("best.safetensors beside it is whole"), std::string::npos)
      << refusal(Which::Last);
  write_file_text(folder / "run/checkpoint-best.safetensors", "short");
  for (const Which which : {Which::Last, Which::Best})
    EXPECT_NE(refusal(which).find("; bring the file back"), std::string::npos) << refusal(which);
}

TEST(Resume, AFinishedRunNeedsNoMetrics) {
  const TemporaryFolder folder;
  (void)whole_run(small_config(folder / "run"));
  std::filesystem::remove(folder / "run/metrics.jsonl");
  Training again = Training::resume(RunFolder::open(folder / "run"), data(), 1);
  EXPECT_EQ(again.run(silent()), Outcome::Finished);
  EXPECT_TRUE(std::filesystem::exists(folder / "run/metrics.csv"));
}

TEST(Resume, AChangedConfigIsRefused) {
  const TemporaryFolder folder;
  { Training training = Training::start(small_config(folder / "run"), data()); }
  Config changed = small_config(folder / "run");
  changed.batch = 16;
  write_file_text(folder / "run/config.json", config_to_json(changed).dump());
  const auto message = testing::message_of<cli::CommandError>(
      [&] { (void)Training::resume(RunFolder::open(folder / "run"), data(), 1); });
  EXPECT_NE(message.find("batch was 32 and is 16"), std::string::npos) << message;
}

TEST(Resume, OneProcessAtATime) {
  const TemporaryFolder folder;
  const Training training = Training::start(small_config(folder / "run"), data());
  const auto message = testing::message_of<cli::CommandError>(
      [&] { (void)Training::resume(RunFolder::open(folder / "run"), data(), 1); });
  EXPECT_NE(message.find("another process is training"), std::string::npos) << message;
}

TEST(Resume, EveryOptimizerAndTheAverageGoOnAsIfNeverStopped) {
  for (const OptimizerInfo& info : optimizers()) {
    SCOPED_TRACE(info.name);
    const TemporaryFolder folder;
    const auto config = [&](const char* name) {
      Config c = small_config(folder / name, 32, 32);
      c.optimizer = info.name;
      c.lr = 0.01;
      c.ema = 0.9;
      c.weights = kAveragedWeights;
      c.label_smoothing = 0.1;
      c.clip_norm = 1.0;
      return c;
    };
    const RunBytes expected = whole_run(config("whole"));
    {
      Training training = Training::start(config("stopped"), data());
      const auto stop = [&] { return training.progress().step == 5; };
      EXPECT_EQ(training.run(silent(stop)), Outcome::Stopped);
    }
    Training resumed = Training::resume(RunFolder::open(folder / "stopped"), data(), 3);
    EXPECT_EQ(resumed.run(silent()), Outcome::Finished);
    EXPECT_TRUE(last_checkpoint(resumed) == expected.last);
    EXPECT_TRUE(best_checkpoint(resumed) == expected.best);
  }
}

TEST(Training, ProvenanceTellsOfEverySession) {
  const TemporaryFolder folder;
  {
    Training training = Training::start(small_config(folder / "run"), data());
    EXPECT_EQ(training.run(silent([&] { return training.progress().step == 3; })), Outcome::Stopped);
  }
  { Training training = Training::resume(RunFolder::open(folder / "run"), data(), 1); }
  const auto json = nlohmann::json::parse(read_file_text(folder / "run/provenance.json"));
  EXPECT_EQ(json.at("seed"), 7);
  EXPECT_EQ(json.at("data"), "synthetic");
  EXPECT_EQ(json.at("data_digest").get<std::string>().size(), 64U + 1 + 64);
  ASSERT_EQ(json.at("sessions").size(), 2U);
  EXPECT_EQ(json["sessions"][0].at("first_step"), 0);
  EXPECT_EQ(json["sessions"][1].at("first_step"), 3);
  EXPECT_EQ(json["sessions"][1].at("threads"), 1);
  for (const char* key : {"started", "version", "compiler", "cpu", "isa", "command_line"}) {
    EXPECT_FALSE(json["sessions"][0].at(key).empty()) << key;
  }
}

TEST(Training, AnotherSeedIsAnotherRun) {
  const TemporaryFolder folder;
  Config config = small_config(folder / "one");
  config.epochs = 1;
  const RunBytes one = whole_run(config);
  config.out = folder / "two";
  config.seed += 1;
  EXPECT_FALSE(whole_run(config).last == one.last);
}

}  // namespace
}  // namespace bitplane::train
