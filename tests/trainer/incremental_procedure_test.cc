// SPDX-License-Identifier: Apache-2.0
//
// The procedures that quantize part by part, as a user runs them: every stage freezes more, what is frozen
// outlives training, kills and resumes to the byte, and the last model's weights are all levels.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>
#include <variant>

#include "bitplane/model_spec.h"
#include "trainer/nn/module.h"
#include "trainer/procedures/procedure.h"
#include "trainer/quantizers/incremental.h"
#include "trainer/run/loaded_run.h"
#include "trainer/trainer_command.h"

namespace bitplane::train {
namespace {

using testing::Arguments;
using testing::Finished;
using testing::run;
using testing::TemporaryFolder;

class IncrementalProcedure : public ::testing::Test {
 protected:
  void SetUp() override {
    testing::write_small_dataset(folder_);
    const Finished trained = run(folder_, testing::train_arguments(folder_, "float", {"--method", "float"}));
    ASSERT_EQ(trained.code, 0) << trained.err;
  }
  [[nodiscard]] Arguments quantize(const std::string& out, const Arguments& more) const {
    Arguments arguments{"quantize", "--from", folder_ / "float", "--epochs", "1", "--out", folder_ / out};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  /// Frozen weights of each stage are those of the stage before, to the bit; in the end all are frozen.
  void expect_stages_freeze(const std::string& out, const std::vector<std::string>& stages) {
    std::optional<LoadedRun> before;
    double last = 0;
    for (const std::string& stage : stages) {
      SCOPED_TRACE(stage);
      const auto prepared =
          nlohmann::json::parse(read_file_text(folder_ / (out + "/" + stage + ".prepared.json")));
      const double share = prepared.at("found").at("frozen");
      EXPECT_GT(share, last);
      last = share;
      LoadedRun now = load_run(folder_ / (out + "/" + stage), Which::Last);
      if (before) expect_kept(*before, now);
      before = std::move(now);
    }
    EXPECT_EQ(last, 1.0);
  }
  TemporaryFolder folder_;

 private:
  static void expect_kept(const LoadedRun& before, const LoadedRun& now) {
    const auto old_layers = quantized_layers(*before.net), layers = quantized_layers(*now.net);
    ASSERT_EQ(old_layers.size(), layers.size());
    for (std::size_t l = 0; l < layers.size(); ++l) {
      const Tensor frozen = old_layers[l].quantizer->frozen();
      for (std::size_t i = 0; i < frozen.size(); ++i) {
        if (frozen.data()[i] == 0.0F) continue;
        ASSERT_EQ(layers[l].weights->data()[i], old_layers[l].weights->data()[i]) << layers[l].name;
        ASSERT_EQ(layers[l].quantizer->frozen().data()[i], 1.0F);
      }
    }
  }
};

TEST_F(IncrementalProcedure, SlqFreezesClusterAfterCluster) {
  const Finished finished =
      run(folder_, quantize("slq", {"--method", "slq", "--wbits", "3", "--option", "order=loss"}));
  ASSERT_EQ(finished.code, 0) << finished.err;
  expect_stages_freeze("slq", {"1-part-1", "2-part-2", "3-part-3"});
  const auto model = engine::read_model(folder_ / "slq/3-part-3/model.safetensors");
  ASSERT_TRUE(model.ok()) << model.status().message();
  for (const engine::Node& node : model->nodes) {
    const auto* conv = std::get_if<engine::Conv2d>(&node.op);
    const auto* linear = std::get_if<engine::Linear>(&node.op);
    if (conv == nullptr && linear == nullptr) continue;
    const engine::Weights& weights = conv != nullptr ? conv->weights : linear->weights;
    EXPECT_TRUE(std::holds_alternative<engine::CodebookWeights>(weights)) << node.name;
  }
}

TEST_F(IncrementalProcedure, MlqTakesGroupsOfLayersTwice) {
  const Finished finished =
      run(folder_, quantize("mlq", {"--method", "mlq", "--abits", "2", "--option", "activations=lq-nets",
                                    "--option", "conv_groups=1"}));
  ASSERT_EQ(finished.code, 0) << finished.err;
  expect_stages_freeze("mlq", {"1-boundaries-1", "2-boundaries-2", "3-hearts-1", "4-hearts-2"});
}

TEST_F(IncrementalProcedure, MlqNeedsNoGroupForALinearLayerThatStaysFloat) {
  const Arguments one_group{"--method", "mlq",           "--option", "layers=inner",
                            "--option", "conv_groups=1", "--option"};
  const auto with = [&](const char* linear_groups) {
    Arguments arguments = one_group;
    arguments.emplace_back(linear_groups);
    return arguments;
  };
  const Finished idle = run(folder_, quantize("idle", with("linear_groups=1")));
  ASSERT_EQ(idle.code, 0) << idle.err;
  EXPECT_NE(idle.err.find("group 2 has no layers, this stage only trains"), std::string::npos) << idle.err;
  const Finished none = run(folder_, quantize("none", with("linear_groups=0")));
  ASSERT_EQ(none.code, 0) << none.err;
  EXPECT_EQ(none.err.find("has no layers"), std::string::npos) << none.err;
  expect_stages_freeze("none", {"1-boundaries-1", "2-hearts-1"});
}

TEST_F(IncrementalProcedure, MlqOrdersLinearLayersAmongConvolutionsWhenTheyHaveNoGroup) {
  const Finished finished =
      run(folder_,
          quantize("among", {"--method", "mlq", "--option", "conv_groups=1", "--option", "linear_groups=0"}));
  ASSERT_EQ(finished.code, 0) << finished.err;
  expect_stages_freeze("among", {"1-boundaries-1", "2-hearts-1"});
}

TEST_F(IncrementalProcedure, KilledAtRandomMomentsItEndsWithTheSameBytes) {
  using Clock = std::chrono::steady_clock;
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  const auto arguments = [&](const std::string& out) {
    return quantize(out, {"--method", "inq", "--abits", "2", "--checkpoint-every", "1"});
  };
  const auto start = Clock::now();
  const Finished whole = run(folder_, arguments("whole"));
  ASSERT_EQ(whole.code, 0) << whole.err;
  const std::chrono::duration<double> seconds = Clock::now() - start;
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> delay(0.0, seconds.count() / 2);
  for (int kill = 0; kill < 5; ++kill) {
    testing::Command command(folder_, arguments("killed"));
    std::this_thread::sleep_for(std::chrono::duration<double>(delay(random)));
    command.kill();
    static_cast<void>(command.wait());
  }
  const Finished end = run(folder_, arguments("killed"));
  ASSERT_EQ(end.code, 0) << end.err;
  for (const std::string stage : {"1-part-1", "2-part-2", "3-part-3", "4-part-4"}) {
    for (const char* file : {"/model.safetensors", "/checkpoint-last.safetensors", ".prepared.json"}) {
      EXPECT_TRUE(read_file_text(folder_ / ("killed/" + stage + file)) ==
                  read_file_text(folder_ / ("whole/" + stage + file)))
          << stage << file;
    }
  }
  expect_stages_freeze("killed", {"1-part-1", "2-part-2", "3-part-3", "4-part-4"});
}

TEST_F(IncrementalProcedure, FromScratchIsRefusedWithWhatToDo) {
  for (const MethodInfo& method : methods()) {
    if (method.start != MethodStart::FloatNet) continue;
    const std::string name(method.name);
    const Finished finished = run(folder_, testing::train_arguments(folder_, "x", {"--method", name}));
    EXPECT_EQ(finished.code, 2);
    EXPECT_NE(finished.err.find("trainer quantize --from RUN --method " + name), std::string::npos)
        << finished.err;
    EXPECT_EQ(find_procedure(name).method, name);
  }
  const Finished bits = run(folder_, quantize("y", {"--method", "slq", "--wbits", "2"}));
  EXPECT_EQ(bits.code, 2);
  EXPECT_NE(bits.err.find("3 to 5"), std::string::npos) << bits.err;
}

}  // namespace
}  // namespace bitplane::train
