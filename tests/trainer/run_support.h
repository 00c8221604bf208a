// SPDX-License-Identifier: Apache-2.0
//
// Small data, small runs and folders that vanish, for the tests of whole runs.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>

#include "engine/cli/shared/errors.h"
#include "engine/data/dataset.h"
#include "trainer/config/config.h"
#include "trainer/run/training.h"

namespace bitplane::train::testing {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    static int counter = 0;
    path_ = std::filesystem::temp_directory_path() /
            ("bitplane_train_" + std::to_string(::getpid()) + "_" + std::to_string(counter++));
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  [[nodiscard]] std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

/// The first pictures of a set.
inline engine::data::PictureSet first_pictures(engine::data::PictureSet set, std::size_t count) {
  set.count = std::min(set.count, count);
  set.pixels.resize(set.count * set.picture_size());
  set.labels.resize(set.count);
  return set;
}

/// Of the synthetic set, which is drawn once per process.
inline TrainingData small_data(std::size_t train, std::size_t test) {
  static const TrainingData all = load_training_data(Config{.data = "synthetic"});
  return {.train = first_pictures(all.train, train), .test = first_pictures(all.test, test)};
}

inline Config small_config(std::string out) {
  PartialConfig flags;
  flags.values = {.data = "synthetic", .epochs = 2, .batch = 32, .lr = 0.05, .seed = 7, .threads = 2};
  flags.values.out = std::move(out);
  flags.given = {"data", "epochs", "batch", "lr", "seed", "threads", "out"};
  return resolve_config({}, flags);
}

/// The same with bits; 32/32 is the float method.
inline Config small_config(std::string out, std::size_t wbits, std::size_t abits) {
  Config config = small_config(std::move(out));
  config.wbits = wbits;
  config.abits = abits;
  if (wbits == kFloatBits && abits == kFloatBits) {
    config.method = "float";
    config.options.clear();
  }
  return config;
}

inline TrainingListener silent(std::function<bool()> stop = [] { return false; }) {
  return {.step = [](const StepReport&) {}, .epoch = [](const EpochRow&) {}, .stop = std::move(stop)};
}

/// The message of the exception that `action` throws; "" when it throws none.
template <class Exception>
std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Exception& error) {
    return error.what();
  }
  return "";
}

}  // namespace bitplane::train::testing
