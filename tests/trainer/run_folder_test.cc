// SPDX-License-Identifier: Apache-2.0
//
// What a new run finds in its folder, and on its disk.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "trainer/checkpoint/file.h"
#include "trainer/run/run_folder.h"
#include "trainer/run/run_lock.h"
#include "trainer/run/training.h"
#include "trainer/run_support.h"
#include "trainer/trainer_support.h"

namespace bitplane::train {
namespace {

using testing::message_of;
using testing::small_config;
using testing::small_data;
using testing::TemporaryFolder;

/// Where no run is, too: a model that was exported there, metrics of something else.
TEST(RunFolder, FilesThatARunWouldWriteOverAreKept) {
  const TrainingData data = small_data(64, 16);
  for (const char* name : {"model.safetensors", "metrics.csv", "result.json"}) {
    const TemporaryFolder folder;
    std::filesystem::create_directory(folder / "run");
    std::ofstream(folder / (std::string("run/") + name)) << "mine";
    const auto refusal = message_of<cli::CommandError>(
        [&] { (void)Training::start(small_config(folder / "run", 32, 32), data); });
    EXPECT_NE(refusal.find(std::string("holds a file ") + name), std::string::npos) << refusal;
    EXPECT_EQ(read_file_text(folder / (std::string("run/") + name)), "mine");
    EXPECT_FALSE(std::filesystem::exists(folder / "run/config.json"));
  }
}

TEST(RunFolder, IsLockedBeforeAnythingIsWritten) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "run");
  const RunLock other(folder / "run");
  const auto refusal = message_of<cli::CommandError>(
      [&] { (void)Training::start(small_config(folder / "run", 32, 32), small_data(64, 16)); });
  EXPECT_NE(refusal.find("another process is training"), std::string::npos) << refusal;
  EXPECT_TRUE(std::filesystem::is_empty(folder / "run"));
}

/// What a run that goes on has written is part of the room that it takes.
TEST(RunFolder, ARunThatGoesOnNeedsOnlyTheRoomThatIsLeft) {
  const TemporaryFolder folder;
  const Config config = small_config(folder / "run");
  const RunFolder run = RunFolder::create(config.out, config, 1000);
  const std::size_t quarter = std::filesystem::space(config.out).available / 4;
  if (quarter > std::size_t{1} << 43) GTEST_SKIP() << "too much room for files of a quarter of it";
  EXPECT_THROW(run.check_room(quarter), cli::CommandError);
  for (const Which which : {Which::Last, Which::Best}) {
    std::ofstream(run.checkpoint(which)) << "x";
    std::filesystem::resize_file(run.checkpoint(which), quarter);  // sparse: nothing is taken
  }
  EXPECT_NO_THROW(run.check_room(quarter));
  const auto full = message_of<cli::CommandError>([&] { run.check_room(2 * quarter); });
  EXPECT_EQ(full.find("--out"), std::string::npos) << "it lies where it lies: " << full;
}

}  // namespace
}  // namespace bitplane::train
