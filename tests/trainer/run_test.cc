// SPDX-License-Identifier: Apache-2.0
//
// The parts of a run: data order, preprocessing, metrics, the folder, divergence, stopping.
#include <gtest/gtest.h>
#include <pthread.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <limits>
#include <numeric>

#include "trainer/checkpoint/file.h"
#include "trainer/event_reader.h"
#include "trainer/export/export.h"
#include "trainer/nn/layers.h"
#include "trainer/report/progress.h"
#include "trainer/run/build.h"
#include "trainer/run/divergence.h"
#include "trainer/run/loaded_run.h"
#include "trainer/run/stop.h"
#include "trainer/run_support.h"

namespace bitplane::train {
namespace {

using testing::message_of;
using testing::small_config;
using testing::small_data;
using testing::TemporaryFolder;

TEST(EpochOrder, IsAPermutationThatDependsOnSeedAndEpochAlone) {
  const auto order = epoch_order(5, 2, 1000);
  auto sorted = order;
  std::sort(sorted.begin(), sorted.end());
  std::vector<std::uint32_t> all(1000);
  std::iota(all.begin(), all.end(), 0U);
  EXPECT_EQ(sorted, all);
  EXPECT_EQ(order, epoch_order(5, 2, 1000));
  EXPECT_NE(order, epoch_order(5, 3, 1000));
  EXPECT_NE(order, epoch_order(6, 2, 1000));
  EXPECT_EQ(epoch_order(1, 0, 1), std::vector<std::uint32_t>{0});
}

TEST(Preprocessing, IsMeanAndDeviationOfEachChannel) {
  const engine::data::PictureSet set{.count = 2,
                                     .height = 1,
                                     .width = 1,
                                     .channels = 2,
                                     .pixels = {0, 7, 255, 7},
                                     .labels = {1, 0},
                                     .class_names = {"a", "b"}};
  const Preprocessing measured = measure_preprocessing(set);
  EXPECT_EQ(measured.mean, (std::vector<float>{0.5F, static_cast<float>(7.0 / 255.0)}));
  EXPECT_EQ(measured.std, (std::vector<float>{0.5F, 1.0F})) << "a constant channel must not divide by zero";
  const std::vector<std::uint32_t> indices{1, 0};
  const Batch batch = make_batch(set, measured, indices);
  EXPECT_EQ(batch.pictures.shape(), Shape({2, 1, 1, 2}));
  EXPECT_EQ(batch.labels, (std::vector<std::uint16_t>{0, 1}));
  EXPECT_NEAR(batch.pictures.values()[0], 1.0, 1e-6);
  EXPECT_NEAR(batch.pictures.values()[2], -1.0, 1e-6);
  EXPECT_NEAR(batch.pictures.values()[1], 0.0, 1e-6);
  EXPECT_THROW((void)measure_preprocessing({}), std::invalid_argument);
}

TEST(Preprocessing, MeanPictureIsSubtractedPixelByPixel) {
  const engine::data::PictureSet set{.count = 2,
                                     .height = 1,
                                     .width = 2,
                                     .channels = 1,
                                     .pixels = {0, 7, 255, 9},
                                     .labels = {1, 0},
                                     .class_names = {"a", "b"}};
  const std::vector<std::uint32_t> indices{0, 1};
  const auto values = [&](const char* normalization) {
    const Batch batch = make_batch(set, measure_preprocessing(set, normalization), indices);
    return std::vector<float>(batch.pictures.values().begin(), batch.pictures.values().end());
  };
  EXPECT_EQ(values("pixel-mean"), (std::vector<float>{-127.5F, -1, 127.5F, 1}));
  EXPECT_EQ(values("pixel-mean-128"),
            (std::vector<float>{-127.5F / 128, -1.0F / 128, 127.5F / 128, 1.0F / 128}));
  EXPECT_THROW((void)measure_preprocessing(set, "none"), std::invalid_argument);
}

TEST(Run, WithAMeanPictureTrainsAndItsModelFileIsRefusedInOneSentence) {
  const TemporaryFolder folder;
  const TrainingData data = small_data(64, 16);
  Config config = small_config(folder / "run", 32, 32);
  config.normalize = "pixel-mean-128";
  config.crop_padding = 2;
  config.loaders = 2;
  config.lr = 0.01;
  Training training = Training::start(config, data);
  EXPECT_EQ(training.run(testing::silent()), Outcome::Finished);
  const LoadedRun run = load_run(config.out, Which::Last);
  EXPECT_EQ(run.task.preprocessing, measure_preprocessing(data.train, "pixel-mean-128"));
  EXPECT_EQ(run.task.train_digest, data.train.digest);
  const auto message = message_of<std::invalid_argument>([&] { (void)describe_run(run); });
  EXPECT_NE(message.find("mean picture"), std::string::npos) << message;
}

TEST(Run, TheNumberOfLoadersChangesNoByte) {
  const TemporaryFolder folder;
  const TrainingData data = small_data(100, 16);
  std::vector<std::vector<std::byte>> files;
  for (const std::uint64_t loaders : {0, 1, 3}) {
    Config config = small_config(folder / std::to_string(loaders), 32, 32);
    config.crop_padding = 3;
    config.loaders = loaders;
    Training training = Training::start(config, data);
    EXPECT_EQ(training.run(testing::silent()), Outcome::Finished);
    files.push_back(read_file_bytes(training.folder().checkpoint(Which::Last)));
  }
  EXPECT_EQ(files[0], files[1]);
  EXPECT_EQ(files[0], files[2]);
}

TEST(Run, NamesOfClassesThatNoFileCanHoldAreRefused) {
  const TemporaryFolder folder;
  for (const std::string& name : {std::string("b\xE9"), std::string("a\nb"), std::string(257, 'x')}) {
    TrainingData data = small_data(64, 16);
    data.train.class_names[3] = data.test.class_names[3] = name;
    const auto message = message_of<cli::CommandError>(
        [&] { (void)Training::start(small_config(folder / "run", 32, 32), data); });
    EXPECT_NE(message.find("the name of class 3, '" + name + "', is not UTF-8 text"), std::string::npos)
        << message;
    EXPECT_FALSE(std::filesystem::exists(folder / "run"));
  }
}

TEST(Run, WritesUpToTwentyPointsAnEpoch) {
  const TemporaryFolder folder;
  for (const std::size_t steps : {1, 20, 21, 39, 41}) {
    Config config = small_config(folder / std::to_string(steps), 32, 32);
    config.batch = 2;
    config.epochs = 1;
    config.lr = 0.001;
    config.width = 0.25;
    const TrainingData data = small_data(2 * steps, 8);
    Training training = Training::start(config, data);
    EXPECT_EQ(training.run(testing::silent()), Outcome::Finished);
    std::vector<std::uint64_t> points;
    for (const auto& event : testing::EventReader(read_file_text(training.folder().events())).all()) {
      for (const auto& [tag, value] : event.scalars)
        if (tag == "train/loss") points.push_back(event.step);
    }
    EXPECT_LE(points.size(), 20U) << steps;
    EXPECT_GE(points.size(), std::min<std::size_t>(steps, 11)) << steps;
    EXPECT_EQ(points.back(), steps) << "the last one is there";
  }
}

TEST(Run, OtherDataIsRefusedWithBothDigests) {
  const TemporaryFolder folder;
  TrainingData data = small_data(64, 16);
  const Config config = small_config(folder / "run", 32, 32);
  (void)Training::start(config, data);
  const std::string before = data.train.digest;
  data.train.pixels[5] ^= 1;
  data.train.digest = engine::data::digest_of(data.train);
  const auto message =
      message_of<cli::CommandError>([&] { (void)Training::resume(RunFolder::open(config.out), data, 1); });
  EXPECT_NE(message.find(before), std::string::npos) << message;
  EXPECT_NE(message.find(data.train.digest), std::string::npos) << message;
}

TEST(Metrics, ComeBackFromJsonLines) {
  const std::vector<EpochRow> rows{
      {.epoch = 1, .step = 469, .loss = 0.1 + 0.2, .test_accuracy = 0.875, .seconds = 12.5},
      {.epoch = 2, .step = 938, .loss = 1e-17, .lr = 0.1}};
  EXPECT_EQ(parse_metrics_jsonl(metrics_jsonl(rows)), rows);
  const std::string csv = metrics_csv(rows);
  EXPECT_TRUE(
      csv.starts_with("epoch,step,loss,train_accuracy,test_accuracy,lr,seconds,images_per_second\n1,469,0.3"))
      << csv;
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 3);
  const auto refusal = message_of<std::invalid_argument>(
      [&] { (void)parse_metrics_jsonl(metrics_jsonl(rows) + "{\"epoch\": 3}\n"); });
  EXPECT_NE(refusal.find("line 3"), std::string::npos) << refusal;
}

TEST(RunFolder, RefusesAFolderThatHoldsARun) {
  const TemporaryFolder folder;
  const Config config = small_config(folder / "run");
  (void)RunFolder::create(config.out, config, 1000);
  const auto refusal =
      message_of<cli::CommandError>([&] { (void)RunFolder::create(config.out, config, 1000); });
  EXPECT_NE(refusal.find("already holds a run"), std::string::npos) << refusal;
  EXPECT_NE(refusal.find("trainer resume"), std::string::npos) << refusal;
  EXPECT_EQ(RunFolder::open(config.out).config(), config);
}

TEST(RunFolder, SaysBeforeTheStartThatThereIsNoRoomOrNoFolder) {
  const TemporaryFolder folder;
  const Config config = small_config(folder / "run");
  const auto full = message_of<cli::CommandError>(
      [&] { (void)RunFolder::create(config.out, config, std::numeric_limits<std::size_t>::max() / 8); });
  EXPECT_NE(full.find("make room"), std::string::npos) << full;
  EXPECT_FALSE(std::filesystem::exists(config.out)) << "nothing is left of a run that could not start";
  std::ofstream(folder / "file") << "x";
  const auto file = message_of<cli::CommandError>([&] { RunFolder::refuse_existing_run(folder / "file"); });
  EXPECT_NE(file.find("is a file"), std::string::npos) << file;
  const auto below =
      message_of<cli::CommandError>([&] { (void)RunFolder::create(folder / "file/run", config, 1000); });
  EXPECT_NE(below.find("cannot make the folder"), std::string::npos) << below;
}

TEST(RunFolder, OpeningSaysWhatIsMissing) {
  const TemporaryFolder folder;
  const auto open = [&](const std::string& name) {
    return message_of<cli::CommandError>([&] { (void)RunFolder::open(folder / name); });
  };
  EXPECT_NE(open("none").find("is no folder"), std::string::npos);
  EXPECT_NE(open(".").find("holds no run"), std::string::npos);
  std::filesystem::create_directory(folder / "bad");
  write_file_text(folder / "bad/config.json", "{\"epohcs\": 3}");
  EXPECT_NE(open("bad").find("did you mean 'epochs'"), std::string::npos) << open("bad");
  for (const char* text : {"{", "", "[]", R"({"lr": 1e999})", R"({"lr": "fast"})"}) {
    write_file_text(folder / "bad/config.json", text);
    EXPECT_NE(open("bad").find("bad/config.json: "), std::string::npos) << open("bad");
    EXPECT_NE(open("bad").find("bring back the settings"), std::string::npos) << open("bad");
    EXPECT_EQ(open("bad").find("json.exception"), std::string::npos) << open("bad");
  }
}

TEST(RunFolder, MetricsOfAnUnsavedEpochAreDropped) {
  const TemporaryFolder folder;
  const Config config = small_config(folder / "run");
  const RunFolder run = RunFolder::create(config.out, config, 1000);
  EXPECT_TRUE(run.read_metrics(5).empty());
  run.write_metrics(std::vector<EpochRow>{{.epoch = 1}, {.epoch = 2}, {.epoch = 3}});
  const auto rows = run.read_metrics(2);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[1].epoch, 2U);
}

TEST(Divergence, FindsEveryKindOfBadNumber) {
  std::vector<float> values(67, -1.5F);
  values[3] = std::numeric_limits<float>::max();
  values[4] = std::numeric_limits<float>::denorm_min();
  EXPECT_TRUE(all_finite(values));
  EXPECT_TRUE(all_finite({}));
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    for (const std::size_t at : {std::size_t{0}, std::size_t{31}, std::size_t{66}}) {
      auto spoiled = values;
      spoiled[at] = bad;
      EXPECT_FALSE(all_finite(spoiled)) << bad << " at " << at;
    }
  }
}

TEST(Divergence, NamesTheLayer) {
  const auto net = build_run_net(small_config("unused"), {28, 28, 1}, 10);
  EXPECT_EQ(find_non_finite_state(*net), std::nullopt);
  for (const NamedParameter& p : named_parameters(*net)) {
    if (p.name == "conv3.weight") {
      p.parameter->variable.mutable_value().mutable_data()[5] = std::numeric_limits<float>::quiet_NaN();
    }
  }
  EXPECT_EQ(find_non_finite_state(*net), "layer 'conv3' (conv3.weight)");
}

TEST(Divergence, NamesTheFirstLayerWhoseOutputIsBad) {
  const auto net = build_run_net(small_config("unused", 32, 32), {28, 28, 1}, 10);
  for (const NamedParameter& p : named_parameters(*net)) {
    if (p.name == "bn2.gamma")
      p.parameter->variable.mutable_value().fill(std::numeric_limits<float>::infinity());
  }
  Backend backend;
  const Context ctx{.backend = backend, .mode = Mode::Train};
  const Tensor pictures = Tensor::filled({2, 28, 28, 1}, 0.5F);
  EXPECT_EQ(find_non_finite_layer(ctx, *net, pictures), "the output of layer 'bn2'");
}

TEST(Divergence, StopsTheRunAndKeepsTheLastCheckpoint) {
  const TemporaryFolder folder;
  const TrainingData data = small_data(64, 16);
  Config config = small_config(folder / "run", 32, 32);
  config.lr = 1e6;
  config.schedule = "constant";
  config.epochs = 50;
  Training training = Training::start(config, data);
  const auto message = message_of<Diverged>([&] { (void)training.run(testing::silent()); });
  EXPECT_NE(message.find("layer '"), std::string::npos) << message;
  EXPECT_NE(message.find("lower --lr and another --out"), std::string::npos) << message;
  const CheckpointReader kept(training.folder().checkpoint(Which::Last));
  const auto net = build_run_net(config, kept.task().input, kept.task().labels.size());
  kept.restore(*net);
  EXPECT_EQ(find_non_finite_state(*net), std::nullopt);
}

/// While it lives no thread starts: one gets more room for its stack than there are addresses.
class NoThreads {
 public:
  NoThreads() {
    ::pthread_attr_t attributes;
    ::pthread_getattr_default_np(&attributes);
    ::pthread_attr_getstacksize(&attributes, &before_);
    ::pthread_attr_destroy(&attributes);
    set(std::size_t{1} << 46U);
  }
  ~NoThreads() { set(before_); }
  NoThreads(const NoThreads&) = delete;
  NoThreads& operator=(const NoThreads&) = delete;

 private:
  static void set(std::size_t stack) {
    ::pthread_attr_t attributes;
    ::pthread_attr_init(&attributes);
    ::pthread_attr_setstacksize(&attributes, stack);
    EXPECT_EQ(::pthread_setattr_default_np(&attributes), 0);
    ::pthread_attr_destroy(&attributes);
  }
  std::size_t before_ = 0;
};

TEST(Run, WithoutAThreadEndsAsOtherInterruptedOnesAndGoesOn) {
  const TemporaryFolder folder;
  const TrainingData data = small_data(64, 16);
  for (const std::uint64_t epochs : {2, 0}) {
    Config config = small_config(folder / ("run" + std::to_string(epochs)));
    config.threads = 1;
    config.epochs = epochs;
    Training training = Training::start(config, data);
    std::string message;
    {
      const NoThreads none;
      message = message_of<cli::CommandError>([&] { (void)training.run(testing::silent()); });
    }
    EXPECT_NE(message.find("no thread left"), std::string::npos) << message;
    EXPECT_NE(message.find("what was saved before is kept"), std::string::npos) << message;
    EXPECT_NE(message.find("trainer resume " + config.out), std::string::npos) << message;
    EXPECT_EQ(training.run(testing::silent()), Outcome::Finished);
  }
}

TEST(ThreadPool, SaysHowManyThreadsItCannotHave) {
  const NoThreads none;
  EXPECT_EQ(ThreadPool(1).size(), 1U);
  const auto message = message_of<std::system_error>([] { const ThreadPool pool(3); });
  EXPECT_NE(message.find("cannot start 3 threads, ask for fewer"), std::string::npos) << message;
}

TEST(StopSignal, IsSetByTheFirstSignalOnly) {
  const StopSignal signal;
  EXPECT_FALSE(StopSignal::requested());
  std::raise(SIGTERM);
  EXPECT_TRUE(StopSignal::requested());
}

TEST(DurationText, IsShort) {
  EXPECT_EQ(duration_text(0), "0:00");
  EXPECT_EQ(duration_text(75), "1:15");
  EXPECT_EQ(duration_text(3700), "1:01:40");
  EXPECT_EQ(duration_text(std::numeric_limits<double>::infinity()), "?");
}

}  // namespace
}  // namespace bitplane::train
