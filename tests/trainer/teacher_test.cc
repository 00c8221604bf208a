// SPDX-License-Identifier: Apache-2.0
//
// A run's teacher: with which eyes it sees the pictures, when it is needed, and what is said of one that is
// none.
#include "trainer/run/teacher.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <vector>

#include "trainer/data/batch.h"
#include "trainer/procedure_support.h"
#include "trainer/run/build.h"
#include "trainer/run/loaded_run.h"
#include "trainer/trainer_support.h"

namespace bitplane::train {
namespace {

namespace fs = std::filesystem;
using testing::Arguments;
using testing::run;
using testing::train_arguments;

class TeacherTest : public testing::FromFloatRun {
 protected:
  TeacherTest() : FromFloatRun({"--width", "0.25"}) {}
  [[nodiscard]] Arguments taught_by(const std::string& teacher, const Arguments& more = {}) const {
    Arguments arguments{"--method", "lsq", "--width", "0.25", "--teacher", folder_ / teacher};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return train_arguments(folder_, "taught", arguments);
  }
};

TEST_F(TeacherTest, SeesPicturesAsInItsOwnTrainingWhereARunRoundsTheirMeans) {
  const LoadedRun own = load_run(folder_ / "float", Which::Last);
  Task rounded = own.task;
  rounded.preprocessing = with_whole_byte_means(own.task.preprocessing);
  ASSERT_NE(rounded.preprocessing, own.task.preprocessing);
  const TrainingData data = testing::small_data(96, 24);
  std::vector<std::uint32_t> indices(data.train.count);
  for (std::uint32_t i = 0; i < indices.size(); ++i) indices[i] = i;
  Backend backend;
  const Context ctx{.backend = backend, .mode = Mode::Eval, .grad = GradMode::Off};
  const Batch batch = make_batch(data.train, own.task.preprocessing, indices);
  const Tensor expected = own.net->forward(ctx, Variable(batch.pictures)).value();
  Teacher teacher(folder_ / "float", rounded);
  const Tensor found = teacher.logits(ctx, make_batch(data.train, rounded.preprocessing, indices).pictures);
  EXPECT_EQ(testing::bits_of(found), testing::bits_of(expected));
}

TEST_F(TeacherTest, TeachesRunsAndProceduresOfEightBitFirstLayers) {
  expect_done(taught_by("float", {"--first-last", "8"}));
  expect_done(quantize("q", {"--method", "ttq", "--first-last", "8", "--teacher", folder_ / "float"}));
}

TEST_F(TeacherTest, ThatIsGoneIsMissedOnlyWhileThereIsSomethingToLearn) {
  expect_done(taught_by("float"));
  expect_done(quantize("q", {"--method", "ttq", "--teacher", folder_ / "float"}));
  fs::rename(folder_ / "float", folder_ / "moved");
  expect_done({"resume", folder_ / "taught"});
  expect_done({"resume", folder_ / "q"});
  fs::remove_all(folder_ / "taught");
  expect_refusal(taught_by("float"),
                 {"teacher: '" + folder_ / "float" + "' is no folder", "give the folder"});
  EXPECT_FALSE(exists("taught"));
}

TEST_F(TeacherTest, ThatWasTrainedOnIsNotTheOneThatARunBeganWith) {
  expect_done(train_arguments(folder_, "other", {"--method", "float", "--width", "0.25", "--seed", "2"}));
  PartialConfig flags;
  flags.values = {.data = "fashion-mnist", .data_dir = folder_ / "", .epochs = 1, .batch = 32, .threads = 1};
  flags.values.method = "lsq";
  flags.values.width = 0.25;
  flags.values.teacher = folder_ / "float";
  flags.values.out = folder_ / "taught";
  flags.given = {"data", "data_dir", "epochs", "batch", "threads", "method", "width", "teacher", "out"};
  const Config config = resolve_config({}, flags);
  static_cast<void>(Training::start(config, load_training_data(config)));
  fs::rename(folder_ / "float", folder_ / "moved");
  fs::rename(folder_ / "other", folder_ / "float");
  expect_refusal({"resume", folder_ / "taught"},
                 {"teacher '" + folder_ / "float" + "' has other weights than when this run began"});
  fs::rename(folder_ / "float", folder_ / "other");
  fs::rename(folder_ / "moved", folder_ / "float");
  expect_done({"resume", folder_ / "taught"});
}

TEST_F(TeacherTest, WhatIsNoRunIsSaidForWhatItWasGiven) {
  const std::string model = folder_ / "float/model.safetensors";
  expect_refusal(taught_by("float/model.safetensors"), {"teacher: '" + model + "' is a file", "the folder"});
  expect_refusal(quantize("q", {"--method", "ttq", "--from", model}), {"--from: '" + model + "' is a file"});
  expect_refusal(quantize("q", {"--method", "ttq", "--from", folder_ / "folat"}),
                 {"--from: '" + folder_ / "folat" + "' is no folder: give the folder of a run"});
  expect_refusal({"eval", folder_ / "folat"}, {"'" + folder_ / "folat" + "' is no folder"});
}

}  // namespace
}  // namespace bitplane::train
