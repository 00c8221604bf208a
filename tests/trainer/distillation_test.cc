// SPDX-License-Identifier: Apache-2.0
//
// Training with a teacher, and what quantizers tell the metrics.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "bitplane/safetensors.h"
#include "engine/cli/shared/errors.h"
#include "trainer/checkpoint/file.h"
#include "trainer/methods/method.h"
#include "trainer/run/loaded_run.h"
#include "trainer/run/metrics.h"
#include "trainer/run_support.h"
#include "trainer/trainer_support.h"

namespace bitplane::train {
namespace {

Config qil_config(const std::string& out) {
  Config config = testing::small_config(out, 2, 2);
  config.epochs = 1;
  config.method = "qil";
  config.options = resolve_method({"qil", 2, 2}).options;
  return config;
}

void double_running_variances(const std::string& path) {
  const std::vector<std::byte> file = read_file_bytes(path);
  engine::Container container = cli::take(engine::parse_safetensors(file));
  std::vector<std::vector<float>> changed;
  for (engine::TensorEntry& entry : container.tensors) {
    if (!entry.name.starts_with("buffer.") || !entry.name.ends_with("running_var")) continue;
    std::vector<float>& values = changed.emplace_back(entry.tensor.bytes.size() / sizeof(float));
    std::memcpy(values.data(), entry.tensor.bytes.data(), entry.tensor.bytes.size());
    for (float& v : values) v *= 2.0F;
    entry.tensor.bytes = std::as_bytes(std::span(values));
  }
  EXPECT_FALSE(changed.empty());
  const std::vector<std::byte> bytes = cli::take(engine::serialize_safetensors(container));
  write_file_text(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

class Distillation : public ::testing::Test {
 protected:
  void train(const Config& config) {
    Training training = Training::start(config, data_);
    ASSERT_EQ(training.run(testing::silent()), Outcome::Finished);
    rows_ = training.rows();
    parameters_.clear();
    for (const NamedParameter& p : named_parameters(training.net()))
      parameters_.push_back(testing::bits_of(p.parameter->variable.value()));
  }
  void train_teacher() {
    Config config = testing::small_config(folder_ / "teacher", kFloatBits, kFloatBits);
    config.epochs = 1;
    train(config);
  }
  testing::TemporaryFolder folder_;
  TrainingData data_ = testing::small_data(64, 16);
  std::vector<EpochRow> rows_;
  std::vector<std::vector<std::uint32_t>> parameters_;  ///< of the run that ended last
};

TEST_F(Distillation, TheTeachersShareChangesWhatIsLearned) {
  ASSERT_NO_FATAL_FAILURE(train_teacher());
  ASSERT_NO_FATAL_FAILURE(train(qil_config(folder_ / "alone")));
  const double loss = rows_.back().loss;
  const auto alone = parameters_;
  Config taught = qil_config(folder_ / "taught");
  taught.teacher = folder_ / "teacher";
  ASSERT_NO_FATAL_FAILURE(train(taught));
  ASSERT_EQ(parameters_.size(), alone.size());
  for (std::size_t i = 0; i < alone.size(); ++i) EXPECT_NE(parameters_[i], alone[i]) << i;
  // A share of 0 is the labels alone, to the last bit.
  Config labels = qil_config(folder_ / "labels");
  labels.teacher = folder_ / "teacher";
  labels.teacher_share = 0.0;
  ASSERT_NO_FATAL_FAILURE(train(labels));
  EXPECT_EQ(rows_.back().loss, loss);
  EXPECT_EQ(parameters_, alone);
}

/// It is evaluated: what its batch norms keep decides what it teaches. In training it would be the batch
/// alone.
TEST_F(Distillation, TheTeacherUsesItsRunningStatistics) {
  ASSERT_NO_FATAL_FAILURE(train_teacher());
  Config taught = qil_config(folder_ / "taught");
  taught.teacher = folder_ / "teacher";
  ASSERT_NO_FATAL_FAILURE(train(taught));
  const auto before = parameters_;
  for (const char* name : {"checkpoint-last.safetensors", "checkpoint-best.safetensors"})
    double_running_variances(folder_ / (std::string("teacher/") + name));
  taught.out = folder_ / "again";
  ASSERT_NO_FATAL_FAILURE(train(taught));
  EXPECT_NE(parameters_, before);
}

TEST_F(Distillation, ATeacherOfOtherInputsIsRefused) {
  ASSERT_NO_FATAL_FAILURE(train_teacher());
  Config config = qil_config(folder_ / "run");
  config.teacher = folder_ / "teacher";
  config.normalize = "pixel-mean";
  const std::string message =
      testing::message_of<std::invalid_argument>([&] { static_cast<void>(Training::start(config, data_)); });
  EXPECT_NE(message.find("give a run on the same data"), std::string::npos) << message;
}

TEST_F(Distillation, IntervalsAndPruningAreInTheMetrics) {
  ASSERT_NO_FATAL_FAILURE(train(qil_config(folder_ / "run")));
  const std::vector<EpochRow> read = parse_metrics_jsonl(metrics_jsonl(rows_));
  EXPECT_EQ(read, rows_);
  ASSERT_EQ(rows_.back().quantizers.size(), 3U * 8U);  // 4 layers of weights, 4 of activations
  for (const Reading& reading : rows_.back().quantizers) {
    if (!reading.name.ends_with(".pruned")) continue;
    EXPECT_GT(reading.value, 0.0) << reading.name;
    EXPECT_LT(reading.value, 1.0) << reading.name;
  }
}

}  // namespace
}  // namespace bitplane::train
