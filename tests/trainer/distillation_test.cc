// SPDX-License-Identifier: Apache-2.0
//
// Training with a teacher, and what quantizers tell the metrics.
#include <gtest/gtest.h>

#include <cstdint>
#include <stdexcept>
#include <vector>

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
