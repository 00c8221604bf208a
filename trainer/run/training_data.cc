// SPDX-License-Identifier: Apache-2.0
#include "trainer/run/training_data.h"

#include <cstdint>
#include <string>
#include <vector>

#include "engine/cli/shared/errors.h"
#include "engine/cli/shared/plain_text.h"
#include "trainer/run/build.h"

namespace bitplane::train {
namespace {

using cli::CommandError;
using cli::ExitCode;

PictureShape shape_of(const engine::data::PictureSet& set) {
  return {.height = set.height, .width = set.width, .channels = set.channels};
}

/// Model files and checkpoints hold the names of classes.
void check_class_names(const std::vector<std::string>& names) {
  constexpr std::size_t kMostBytes = 256;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i].size() <= kMostBytes && cli::is_plain_text(names[i])) continue;
    throw CommandError(ExitCode::BadInput, "the name of class " + std::to_string(i) + ", '" + names[i] +
                                               "', is not UTF-8 text of up to " + std::to_string(kMostBytes) +
                                               " bytes without control characters: rename it");
  }
}

}  // namespace

TrainingData load_training_data(const Config& config) {
  using engine::data::load_dataset;
  using engine::data::Split;
  return {.train = cli::take(load_dataset(config.data, config.data_dir, Split::Train)),
          .test = cli::take(load_dataset(config.data, config.data_dir, Split::Test))};
}

Task make_task(const Config& config, const TrainingData& data) {
  if (shape_of(data.train) != shape_of(data.test) || data.test.count == 0) {
    throw CommandError(ExitCode::BadInput, "the test pictures (" + std::to_string(data.test.count) + " of " +
                                               to_string(shape_of(data.test)) +
                                               ") do not go with the training pictures of " +
                                               to_string(shape_of(data.train)));
  }
  if (data.train.class_names != data.test.class_names) {
    throw CommandError(ExitCode::BadInput, "the classes of the test pictures (" +
                                               std::to_string(data.test.class_names.size()) +
                                               ") are not those of the training pictures (" +
                                               std::to_string(data.train.class_names.size()) + ")");
  }
  check_class_names(data.train.class_names);
  std::vector<std::uint8_t> buffer;
  const auto sample = cli::take(engine::data::inference_picture(data.test, 0, buffer));
  return {.input = shape_of(data.train),
          .labels = data.train.class_names,
          .preprocessing = run_preprocessing(config, measure_preprocessing(data.train, config.normalize)),
          .sample = {sample.begin(), sample.end()},
          .train_digest = data.train.digest,
          .test_digest = data.test.digest};
}

void require_same_data(const RunFolder& folder, const Task& then, const Task& now) {
  const std::string begin = "'" + folder.path() + "' was trained on other data than data set '" +
                            folder.config().data + "' holds now: ";
  const auto differ = [&](const char* split, const std::string& old_digest, const std::string& digest) {
    return CommandError(ExitCode::BadInput, begin + "SHA-256 of its " + split + " pictures was " +
                                                old_digest + " and is " + digest +
                                                "; give back the same files");
  };
  if (then.train_digest != now.train_digest) throw differ("training", then.train_digest, now.train_digest);
  if (then.test_digest != now.test_digest) throw differ("test", then.test_digest, now.test_digest);
  if (then != now) {
    throw CommandError(ExitCode::BadInput,
                       begin + "sizes, classes or pixels differ; give back the same files");
  }
}

}  // namespace bitplane::train
