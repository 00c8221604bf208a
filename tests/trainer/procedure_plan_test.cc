// SPDX-License-Identifier: Apache-2.0
//
// The settings of a procedure's stages: rates and drops of those that quantize part by part, and that
// `trainer list methods` and `trainer quantize --help` say what is so.
#include <gtest/gtest.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "trainer/procedures/plan.h"
#include "trainer/run/build.h"
#include "trainer/trainer_command.h"

namespace bitplane::train {
namespace {

constexpr const char* kPartByPart[] = {"slq", "eslq", "mlq", "inq"};

/// Plans from a float run without epochs.
class ProcedurePlans : public ::testing::Test {
 protected:
  ProcedurePlan plan(const std::string& method, double float_lr, PartialConfig flags = {},
                     const std::vector<std::string>& special = {}) {
    const std::string float_run = folder_ / ("float" + std::to_string(float_lr));
    if (!RunFolder::is_at(float_run)) {
      Config config = testing::small_config(float_run, kFloatBits, kFloatBits);
      config.lr = float_lr;
      config.epochs = 0;
      config.schedule = "cosine";
      config.drop_factor = 0.5;
      config.power = 2;
      Training training = Training::start(config, data_);
      EXPECT_EQ(training.run(testing::silent()), Outcome::Finished);
    }
    flags.values.method = method;
    flags.values.out = folder_ / "q";
    flags.given.insert({"method", "out"});
    return plan_procedure(load_run(float_run, Which::Last), flags, special);
  }
  static PartialConfig epochs(std::uint64_t count) {
    PartialConfig flags;
    flags.values.epochs = count;
    flags.given = {"epochs"};
    return flags;
  }
  testing::TemporaryFolder folder_;
  TrainingData data_ = testing::small_data(64, 16);
};

TEST_F(ProcedurePlans, PartByPartStartsAtATenthOfTheFloatRunsRate) {
  for (const char* method : kPartByPart) {
    SCOPED_TRACE(method);
    for (const PlannedStage& planned : plan(method, 0.1).stages) EXPECT_EQ(planned.config.lr, 0.01);
    for (const PlannedStage& planned : plan(method, 0.4).stages) EXPECT_EQ(planned.config.lr, 0.04);
    PartialConfig flags;
    flags.values.lr = 0.3;
    flags.given = {"lr"};
    for (const PlannedStage& planned : plan(method, 0.4, flags).stages) EXPECT_EQ(planned.config.lr, 0.3);
    EXPECT_EQ(plan(method, 0.4, {}, {plan(method, 0.4).stages[1].stage.name + ".lr=0.5"}).stages[1].config.lr,
              0.5);
  }
  EXPECT_EQ(plan("qil", 0.4).request.lr, 0.02) << "as its authors have it";
}

TEST_F(ProcedurePlans, ThePlanIsTheSameWhenItIsReadAgain) {
  const ProcedurePlan before = plan("slq", 0.4, epochs(4), {"part-2.epochs=8", "part-2.order=loss"});
  const ProcedurePlan again =
      plan_from_json(nlohmann::json::parse(plan_to_json(before).dump()), before.request.out);
  ASSERT_EQ(again.stages.size(), before.stages.size());
  for (std::size_t i = 0; i < again.stages.size(); ++i)
    EXPECT_EQ(again.stages[i].config, before.stages[i].config) << i;
  EXPECT_EQ(changed_plan(before, again), "");
}

TEST_F(ProcedurePlans, AScheduleOfItsOwnIsNotShapedByTheFloatRuns) {
  for (const PlannedStage& planned : plan("tsq", 0.1).stages) EXPECT_EQ(planned.config.power, 1.0);
  for (const char* method : {"gdrq", "slq", "eslq", "mlq", "inq"}) {
    for (const PlannedStage& planned : plan(method, 0.1).stages)
      EXPECT_EQ(planned.config.drop_factor, 0.1) << method;
  }
  PartialConfig flags;
  flags.values.power = 3;
  flags.values.drop_factor = 0.2;
  flags.given = {"power", "drop_factor"};
  EXPECT_EQ(plan("tsq", 0.1, flags).request.power, 3.0);
  for (const char* method : {"gdrq", "slq"})
    EXPECT_EQ(plan(method, 0.1, flags).request.drop_factor, 0.2) << method;
  EXPECT_EQ(plan("qil", 0.1).request.drop_factor, 0.5) << "its schedule is the float run's";
}

TEST_F(ProcedurePlans, AStagesOwnScheduleAndAverageBringWhatBelongsToThem) {
  const ProcedurePlan planned =
      plan("gdrq", 0.1, epochs(2), {"fine-tune.ema=0.9", "fine-tune.schedule=one-cycle"});
  const Config& fine_tune = planned.stages.back().config;
  EXPECT_EQ(fine_tune.weights, "averaged");
  EXPECT_EQ(fine_tune.warmup, 0.3);
  EXPECT_EQ(planned.request.weights, "trained");
  const std::vector<std::string> trained{"fine-tune.ema=0.9", "fine-tune.weights=trained"};
  EXPECT_EQ(plan("gdrq", 0.1, epochs(2), trained).stages.back().config.weights, "trained");
}

/// GDRQ's float stage has the rate of training from the start, its authors' 0.1; TSQ's first one alike.
TEST_F(ProcedurePlans, FineTuningHasATenthOfTheRate) {
  for (const auto& [method, lr] : {std::pair{"gdrq", 0.1}, std::pair{"tsq", 0.05}}) {
    SCOPED_TRACE(method);
    const std::vector<PlannedStage> stages = plan(method, 0.4).stages;
    EXPECT_EQ(stages.front().config.lr, lr);
    EXPECT_DOUBLE_EQ(stages.back().config.lr, lr / 10);
    EXPECT_EQ(plan(method, 0.4, {}, {"fine-tune.lr=0.5"}).stages.back().config.lr, 0.5);
  }
  PartialConfig flags;
  flags.values.options = {{"reshaping", "off"}};
  EXPECT_DOUBLE_EQ(plan("gdrq", 0.4, flags).stages.back().config.lr, 0.01);
}

TEST_F(ProcedurePlans, StagesOfQilHaveOneBitLessEach) {
  using Bits = std::vector<std::pair<std::uint64_t, std::uint64_t>>;
  struct Case {
    std::uint64_t wbits, abits;
    Bits stages;
  };
  for (const Case& c :
       {Case{2, 2, {{5, 5}, {4, 4}, {3, 3}, {2, 2}}},
        Case{2, kFloatBits, {{5, kFloatBits}, {4, kFloatBits}, {3, kFloatBits}, {2, kFloatBits}}},
        Case{8, 2, {{8, 5}, {8, 4}, {8, 3}, {8, 2}}}, Case{2, 1, {{5, 5}, {4, 4}, {3, 3}, {2, 2}, {2, 1}}}}) {
    SCOPED_TRACE(std::to_string(c.wbits) + "/" + std::to_string(c.abits));
    PartialConfig flags;
    flags.values.wbits = c.wbits;
    flags.values.abits = c.abits;
    flags.given = {"wbits", "abits"};
    Bits found;
    for (const PlannedStage& planned : plan("qil", 0.1, flags).stages)
      found.emplace_back(planned.config.wbits, planned.config.abits);
    EXPECT_EQ(found, c.stages);
  }
}

/// Epochs, counted from 1, from whose first step on the rate is a tenth.
std::vector<std::uint64_t> epochs_behind_a_drop(const Config& config) {
  constexpr std::size_t kStepsPerEpoch = 10;
  const auto schedule = build_schedule(config, config.epochs * kStepsPerEpoch);
  std::vector<std::uint64_t> found;
  double rate = config.lr;
  for (std::size_t step = 0; step < config.epochs * kStepsPerEpoch; ++step) {
    if (schedule->rate(step) == rate) continue;
    EXPECT_EQ(step % kStepsPerEpoch, 0U) << "a drop within an epoch";
    EXPECT_DOUBLE_EQ(schedule->rate(step), rate / 10);
    rate = schedule->rate(step);
    found.push_back(step / kStepsPerEpoch + 1);
  }
  return found;
}

TEST_F(ProcedurePlans, TheRateDropsOnceAfterSixtyPercentOfTheEpochs) {
  struct Case {
    std::uint64_t epochs;
    std::vector<std::uint64_t> drops;
  };
  for (const Case& c :
       {Case{1, {}}, Case{2, {2}}, Case{3, {3}}, Case{4, {3}}, Case{5, {4}}, Case{8, {6}}, Case{20, {13}}}) {
    SCOPED_TRACE(c.epochs);
    for (const char* method : kPartByPart) {
      for (const PlannedStage& planned : plan(method, 0.1, epochs(c.epochs)).stages)
        EXPECT_EQ(epochs_behind_a_drop(planned.config), c.drops) << method << " " << planned.stage.name;
    }
  }
}

TEST_F(ProcedurePlans, AStagesOwnEpochsAndDropsCount) {
  const ProcedurePlan own =
      plan("slq", 0.1, epochs(8),
           {"part-1.epochs=4", "part-2.epochs=1", "part-3.drops=2,7", "part-4.schedule=cosine"});
  EXPECT_EQ(epochs_behind_a_drop(own.stages[0].config), std::vector<std::uint64_t>{3});
  EXPECT_TRUE(epochs_behind_a_drop(own.stages[1].config).empty());
  EXPECT_EQ(epochs_behind_a_drop(own.stages[2].config), (std::vector<std::uint64_t>{3, 8}));
  EXPECT_EQ(own.stages[3].config.schedule, "cosine");
  EXPECT_EQ(epochs_behind_a_drop(own.stages[4].config), std::vector<std::uint64_t>{6});
  const ProcedurePlan longer = plan("slq", 0.1, epochs(1), {"part-1.epochs=4"});
  EXPECT_EQ(epochs_behind_a_drop(longer.stages[0].config), std::vector<std::uint64_t>{3});
}

/// With the float run's seed each stage would see the same few augmentations of every picture again.
TEST_F(ProcedurePlans, EachStageDrawsItsOwnOrdersAndAugmentations) {
  PartialConfig flags;
  flags.values.seed = 7;
  flags.given = {"seed"};
  for (const ProcedureInfo* procedure : procedures()) {
    SCOPED_TRACE(std::string(procedure->method));
    const ProcedurePlan planned = plan(std::string(procedure->method), 0.1, flags);
    EXPECT_EQ(planned.request.seed, 7U);
    std::set<std::uint64_t> seeds{7};
    for (const PlannedStage& stage : planned.stages) seeds.insert(stage.config.seed);
    EXPECT_EQ(seeds.size(), planned.stages.size() + 1);
  }
  EXPECT_EQ(plan("slq", 0.1, flags, {"part-2.seed=7"}).stages[1].config.seed, 7U);
}

TEST_F(ProcedurePlans, TheListSaysWhatAProcedureTakes) {
  const auto listed = testing::run(folder_, {"list", "methods", "--json"});
  ASSERT_EQ(listed.code, 0) << listed.err;
  std::size_t seen = 0;
  for (const auto& row : nlohmann::json::parse(listed.out)) {
    const std::string method = row.at("name");
    SCOPED_TRACE(method);
    const auto& shown = row.at("procedure_defaults");
    EXPECT_EQ(shown.empty(), row.at("procedure") == "");
    EXPECT_EQ(row.at("defaults").empty(), find_method(method).start == MethodStart::FloatNet)
        << "`trainer train` refuses it";
    if (shown.empty()) continue;
    ++seen;
    const Config config = plan(method, 0.4).request;
    EXPECT_EQ(shown.at("wbits"), config.wbits);
    EXPECT_EQ(shown.at("abits"), config.abits);
    EXPECT_EQ(shown.at("epochs"), config.epochs);
    EXPECT_EQ(shown.at("weight_decay"), config.weight_decay);
    const bool own_rate = shown.at("lr").is_number();
    EXPECT_EQ(own_rate ? shown.at("lr").get<double>() : 0.04, config.lr);
    if (!own_rate) {
      EXPECT_EQ(shown.at("lr"), "the float run's / 10");
    }
    EXPECT_EQ(shown.at("schedule") == "the float run's" ? "cosine" : shown.at("schedule").get<std::string>(),
              config.schedule);
  }
  EXPECT_EQ(seen, procedures().size());
  const auto text = testing::run(folder_, {"list", "methods"});
  EXPECT_NE(text.out.find("lr=\"the float run's / 10\""), std::string::npos) << text.out;
}

TEST_F(ProcedurePlans, TheListOffersTheBitsThatAreThere) {
  const auto listed = testing::run(folder_, {"list", "methods", "--json"});
  for (const auto& row : nlohmann::json::parse(listed.out)) {
    const MethodInfo& method = find_method(row.at("name").get<std::string>());
    SCOPED_TRACE(std::string(method.name));
    if (method.weight_quantizer.empty()) continue;
    const bool offered = row.at("weight_bits").get<std::string>().find("32") != std::string::npos;
    MethodSettings settings{.method = std::string(method.name), .wbits = kFloatBits, .abits = 2};
    if (!activation_bits(method).contains(settings.abits)) settings.abits = 1;
    EXPECT_EQ(offered,
              testing::message_of<std::invalid_argument>([&] { (void)resolve_method(settings); }).empty());
  }
}

TEST_F(ProcedurePlans, HelpOfQuantizeHasOnlyWhatGoesThere) {
  const auto help = testing::run(folder_, {"quantize", "--help"});
  ASSERT_EQ(help.code, 0) << help.err;
  for (const char* flag :
       {"--data ", "--net ", "--width ", "--normalize ", "--init-from ", "--init-missing "})
    EXPECT_EQ(help.out.find(flag), std::string::npos) << flag;
  for (const char* flag : {"--data-dir ", "--lr ", "--drops ", "--method ", "--teacher ", "60 %"})
    EXPECT_NE(help.out.find(flag), std::string::npos) << flag;
}

}  // namespace
}  // namespace bitplane::train
