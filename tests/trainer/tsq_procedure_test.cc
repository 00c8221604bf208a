// SPDX-License-Identifier: Apache-2.0
//
// TSQ as a user runs it, from a float net to the fine-tuned one: what each stage is, what the options of its
// transformation change, and kills between and inside the stages.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "trainer/procedure_support.h"
#include "trainer/procedures/tfl_site.h"
#include "trainer/run/loaded_run.h"
#include "trainer/run/metrics.h"

namespace bitplane::train {
namespace {

using testing::Arguments;
using testing::Command;

class TsqProcedure : public testing::FromFloatRun {
 protected:
  TsqProcedure() : FromFloatRun({"--width", "0.25"}) {}

  [[nodiscard]] Arguments quantize(const std::string& out, Arguments more = {}) const {
    more.insert(more.end(), {"--method", "tsq", "--epochs", "2", "--checkpoint-every", "1"});
    return FromFloatRun::quantize(out, more);
  }
  /// The transformation with two alternations, and these options.
  void transform(const std::string& out, const Arguments& more) const {
    Arguments arguments = quantize(out, {"--until", "transform", "--option", "tfl_alternations=2"});
    for (const std::string& option : more) arguments.insert(arguments.end(), {"--option", option});
    expect_done(arguments);
  }
  /// Kills the command as soon as `moment` has come, or finds it ended on a machine that was too busy.
  void kill_at(const Arguments& arguments, const std::function<bool()>& moment) const {
    Command command(folder_, arguments);
    while (!moment() && !command.ended()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    command.kill();
    (void)command.wait();
    EXPECT_TRUE(moment());
  }
  /// Of the layers, as the transformation reported them.
  [[nodiscard]] nlohmann::json layers(const std::string& out) const {
    return json(out + "/2-transform.prepared.json").at("found").at("layers");
  }
};

TEST_F(TsqProcedure, FloatWeightsThenTernaryOnesThenATenthOfTheRate) {
  expect_done(quantize("q"));
  const auto sparse = json("q/1-sparse/config.json"), transform = json("q/2-transform/config.json"),
             tuned = json("q/3-fine-tune/config.json");
  EXPECT_EQ(sparse.at("wbits"), kFloatBits);
  EXPECT_EQ(transform.at("wbits"), 2U);
  EXPECT_EQ(tuned.at("wbits"), 2U);
  EXPECT_EQ(transform.at("epochs"), 0U);
  EXPECT_EQ(json("q/2-transform/result.json").at("step"), 0U);
  EXPECT_DOUBLE_EQ(tuned.at("lr").get<double>(), 0.1 * sparse.at("lr").get<double>());
  const auto rows = parse_metrics_jsonl(read_file_text(folder_ / "q/1-sparse/metrics.jsonl")),
             tuned_rows = parse_metrics_jsonl(read_file_text(folder_ / "q/3-fine-tune/metrics.jsonl"));
  ASSERT_EQ(rows.size(), 2U);
  ASSERT_EQ(tuned_rows.size(), 2U);
  for (std::size_t i = 0; i < rows.size(); ++i) EXPECT_NEAR(tuned_rows[i].lr, 0.1 * rows[i].lr, 1e-12);

  EXPECT_EQ(layers("q").size(), 4U);
  const auto prepared = json("q/3-fine-tune.prepared.json");
  EXPECT_TRUE(prepared.at("fresh").empty()) << prepared;
  EXPECT_TRUE(prepared.at("unused").empty()) << prepared;
  const LoadedRun learned = load_run(folder_ / "q/2-transform", Which::Last),
                  end = load_run(folder_ / "q/3-fine-tune", Which::Last);
  const auto before = quantized_layers(*learned.net), after = quantized_layers(*end.net);
  ASSERT_EQ(before.size(), 4U);
  for (std::size_t l = 0; l < before.size(); ++l) {
    SCOPED_TRACE(before[l].name);
    const std::size_t filters = before[l].weights->shape().front(), m = before[l].weights->size() / filters;
    for (std::size_t o = 0; o < filters; ++o) {
      std::set<float> magnitudes{0.0F};
      for (const float w : before[l].weights->values().subspan(o * m, m)) magnitudes.insert(std::fabs(w));
      EXPECT_LE(magnitudes.size(), 2U);
    }
    EXPECT_FALSE(std::ranges::equal(before[l].weights->values(), after[l].weights->values()));
  }
}

TEST_F(TsqProcedure, KilledBetweenAndInsideItsStagesItEndsWithTheSameBytes) {
  expect_done(quantize("whole"));
  const auto has = [&](const std::string& name) { return [this, name] { return exists(name); }; };
  const Arguments sparse = quantize("killed", {"--until", "sparse"}),
                  transform = quantize("killed", {"--until", "transform"});
  kill_at(sparse, has("killed/1-sparse/checkpoint-best.safetensors"));
  expect_done(sparse);
  // Three layers are left then.
  kill_at(transform,
          [&] { return read_file_text(folder_ / "stderr").find("layer 'conv2'") != std::string::npos; });
  expect_done(transform);
  EXPECT_FALSE(exists("killed/3-fine-tune"));
  kill_at(quantize("killed"), has("killed/3-fine-tune/checkpoint-best.safetensors"));
  expect_done({"resume", folder_ / "killed"});
  testing::expect_same_procedure(folder_, "killed", "whole", {"1-sparse", "2-transform", "3-fine-tune"});
}

TEST_F(TsqProcedure, SymmetricLayersAreFittedOnTheFloatNetsCodes) {
  transform("asymmetric", {});
  transform("symmetric", {"tfl_front=symmetric"});
  const auto ternary = layers("asymmetric"), plain = layers("symmetric");
  EXPECT_EQ(ternary.at(0), plain.at(0)) << "in front of the first one nothing is ternary";
  for (std::size_t l = 1; l < 4; ++l) {
    EXPECT_NE(ternary.at(l).at("start_error"), plain.at(l).at("start_error")) << l;
    EXPECT_NE(ternary.at(l).at("end_error"), plain.at(l).at("end_error")) << l;
  }
}

TEST_F(TsqProcedure, PenaltiesPicturesAndPositionsAreThoseAskedFor) {
  transform("default", {});
  transform("given", {"tfl_lambda1=0.01", "tfl_lambda2=1", "tfl_positions=8"});
  EXPECT_EQ(layers("given"), layers("default"));
  transform("swapped", {"tfl_lambda1=1", "tfl_lambda2=0.01"});
  EXPECT_NE(layers("swapped"), layers("default"));
  transform("few", {"tfl_pictures=7", "tfl_positions=3"});
  const auto found = json("few/2-transform.prepared.json").at("found");
  EXPECT_EQ(found.at("pictures"), 7);
  EXPECT_EQ(found.at("layers").at(0).at("samples"), 7 * 3);
}

TEST_F(TsqProcedure, ARandomStartIsAnotherOne) {
  transform("otwa", {});
  transform("random", {"tfl_start=random"});
  const auto best = layers("otwa"), random = layers("random");
  for (std::size_t l = 0; l < 4; ++l)
    EXPECT_NE(best.at(l).at("start_error"), random.at(l).at("start_error")) << l;
  EXPECT_GT(random.at(0).at("start_error").get<double>(), best.at(0).at("start_error").get<double>());
}

/// v at X = 0, of each channel of the four batch norms behind ternary weights.
std::vector<double> intercepts(const LoadedRun& run) {
  const NetState state(*run.net);
  std::vector<double> all;
  for (const std::string norm : {"bn2", "bn3", "bn4", "bn5"}) {
    const auto mean = state.at(norm + ".running_mean").values(),
               var = state.at(norm + ".running_var").values();
    const Tensor *gamma = state.find(norm + ".gamma"), *beta = state.find(norm + ".beta");
    EXPECT_EQ(gamma != nullptr, norm == "bn5");
    for (std::size_t o = 0; o < mean.size(); ++o) {
      const double scale = (gamma == nullptr ? 1.0 : static_cast<double>(gamma->data()[o])) /
                           std::sqrt(static_cast<double>(var[o]) + 1e-5);
      all.push_back((beta == nullptr ? 0.0 : static_cast<double>(beta->data()[o])) -
                    scale * static_cast<double>(mean[o]));
    }
  }
  return all;
}

TEST_F(TsqProcedure, WithoutBiasNothingIsAddedToTheProducts) {
  transform("on", {});
  transform("off", {"tfl_bias=off"});
  const auto largest = [&](const std::string& out) {
    double most = 0;
    for (const double b : intercepts(load_run(folder_ / (out + "/2-transform"), Which::Last)))
      most = std::max(most, std::fabs(b));
    return most;
  };
  EXPECT_GT(largest("on"), 0.1);
  EXPECT_LT(largest("off"), 1e-5);
  expect_done({"resume", folder_ / "off"});
  EXPECT_TRUE(exists("off/3-fine-tune/model.safetensors"));
}

}  // namespace
}  // namespace bitplane::train
