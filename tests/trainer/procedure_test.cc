// SPDX-License-Identifier: Apache-2.0
//
// Procedures that start from a float net: refusals, stages one by one, and the promise that a procedure
// killed again and again ends with the bytes of one that was left alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "trainer/procedure_support.h"
#include "trainer/procedures/carry_state.h"
#include "trainer/procedures/folder.h"
#include "trainer/run/build.h"
#include "trainer/run/loaded_run.h"
#include "trainer/run/net_state.h"
#include "trainer/trainer_command.h"

namespace bitplane::train {
namespace {

using testing::Arguments;
using testing::Command;
using testing::Finished;
using testing::run;
using testing::TemporaryFolder;
using Clock = std::chrono::steady_clock;

/// A folder with a small data set and a float run "float" on it.
class ProcedureTest : public ::testing::Test {
 protected:
  void SetUp() override {
    testing::write_small_dataset(folder_);
    const Finished trained = run(folder_, testing::train_arguments(folder_, "float", {"--method", "float"}));
    ASSERT_EQ(trained.code, 0) << trained.err;
  }
  [[nodiscard]] Arguments quantize(const std::string& out, Arguments more) const {
    Arguments arguments{"quantize", "--from", folder_ / "float", "--out", folder_ / out};
    if (std::ranges::find(more, "--epochs") == more.end()) more.insert(more.end(), {"--epochs", "1"});
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  void expect_refusal(Arguments arguments, const std::string& part) {
    const Finished finished = run(folder_, std::move(arguments));
    EXPECT_EQ(finished.code, 2) << finished.err;
    EXPECT_NE(finished.err.find(part), std::string::npos) << finished.err;
    EXPECT_EQ(std::count(finished.err.begin(), finished.err.end(), '\n'), 1) << finished.err;
  }
  [[nodiscard]] bool exists(const std::string& name) const { return std::filesystem::exists(folder_ / name); }
  TemporaryFolder folder_;
};

TEST_F(ProcedureTest, BadRequestsAreRefusedWithWhatIsPossible) {
  expect_refusal(quantize("x", {}), "--method whose procedure shall run: ");
  expect_refusal(quantize("x", {"--method", "qli"}), "did you mean 'qil'");
  expect_refusal(quantize("x", {"--method", "lsq"}), "trainer train --method lsq");
  expect_refusal(quantize("x", {"--method", "qil", "--wbits", "1"}), "2 to 8");
  expect_refusal(quantize("x", {"--method", "gdrq", "--option", "group_size=0"}), "filters of a group");
  expect_refusal(quantize("x", {"--method", "qil", "--net", "resnet-20"}),
                 "--net is the float run's, 'cnn-small'");
  expect_refusal(quantize("x", {"--method", "qil", "--data", "synthetic"}), "--data is the float run's");
  expect_refusal(quantize("x", {"--method", "qil", "--until", "2-bit"}), "did you mean '2-bits'");
  expect_refusal(quantize("x", {"--method", "qil", "--set", "3-bits"}), "STAGE.NAME=VALUE");
  expect_refusal(quantize("x", {"--method", "qil", "--set", "3-bit.lr=1"}), "did you mean '3-bits'");
  expect_refusal(quantize("x", {"--method", "qil", "--set", "3-bits.rl=1"}), "rl");
  expect_refusal({"quantize", "--from", folder_ / "float", "--method", "qil"}, "--out runs/NAME");
  EXPECT_FALSE(exists("x")) << "a refused procedure leaves no folder";
  const Finished low = run(folder_, testing::train_arguments(folder_, "low", {"--method", "dorefa"}));
  ASSERT_EQ(low.code, 0) << low.err;
  expect_refusal({"quantize", "--from", folder_ / "low", "--method", "qil", "--out", folder_ / "x"},
                 "starts from a run of method 'float'");
}

TEST_F(ProcedureTest, StagesRunOneByOneAndTheLastOneIsTheResult) {
  const Arguments settings{"--method", "qil", "--option", "first_bits=3"};
  const auto only = [&](Arguments more) {
    more.insert(more.begin(), settings.begin(), settings.end());
    return run(folder_, quantize("q", more));
  };
  const Finished gap = only({"--stages", "2-bits"});
  EXPECT_EQ(gap.code, 2);
  EXPECT_NE(gap.err.find("which is not done"), std::string::npos) << gap.err;
  ASSERT_EQ(only({"--until", "3-bits"}).code, 0);
  EXPECT_TRUE(exists("q/1-3-bits/model.safetensors"));
  EXPECT_FALSE(exists("q/2-2-bits"));
  const Finished early = run(folder_, {"eval", folder_ / "q"});
  EXPECT_EQ(early.code, 3);
  EXPECT_NE(early.err.find("q/1-3-bits"), std::string::npos) << early.err;
  const Finished other = run(folder_, quantize("q", {"--method", "qil", "--lr", "0.5"}));
  EXPECT_EQ(other.code, 2);
  EXPECT_NE(other.err.find("lr was 0.02 and is 0.5"), std::string::npos) << other.err;

  const Finished rest = run(folder_, {"resume", folder_ / "q", "--json"});
  ASSERT_EQ(rest.code, 0) << rest.err;
  const auto result = nlohmann::json::parse(rest.out);
  EXPECT_EQ(result.at("ran").size(), 1U) << "the finished stage is skipped";
  const Finished evaluated = run(folder_, {"eval", folder_ / "q", "--json"});
  ASSERT_EQ(evaluated.code, 0) << evaluated.err;
  EXPECT_EQ(nlohmann::json::parse(evaluated.out).at("test_accuracy"),
            result.at("stages").at(1).at("test_accuracy"));
  ASSERT_EQ(run(folder_, {"export", folder_ / "q", "--out", folder_ / "m"}).code, 0);
  EXPECT_EQ(read_file_bytes(folder_ / "m"), read_file_bytes(folder_ / "q/2-2-bits/model.safetensors"));
}

/// All numbers of a run's net, quantizers' among them.
std::map<std::string, std::vector<float>> state_of(const std::string& run_folder) {
  const LoadedRun loaded = load_run(run_folder, Which::Last);
  std::map<std::string, std::vector<float>> state;
  for (const auto& [name, tensor] : tensors_of(*loaded.net))
    state[name].assign(tensor->values().begin(), tensor->values().end());
  return state;
}

/// Whether the intervals of QIL in `after` are those of `before`; the weights moved nowhere either.
void expect_same_intervals(const std::string& before, const std::string& after) {
  const auto had = state_of(before), has = state_of(after);
  std::size_t intervals = 0;
  for (const auto& [name, values] : has) {
    if (name.ends_with("running_mean") || name.ends_with("running_var")) continue;
    ASSERT_TRUE(had.contains(name)) << name;
    intervals += name.ends_with("centre") ? 1U : 0U;
    for (std::size_t i = 0; i < values.size(); ++i)
      EXPECT_NEAR(values[i], had.at(name)[i], 1e-6F * std::fabs(values[i])) << name;
  }
  EXPECT_EQ(intervals, 8U);  // of four layers' weights and activations
}

TEST_F(ProcedureTest, IntervalsOfQilGoOnToFewerBits) {
  const Finished done = run(
      folder_, quantize("q", {"--method", "qil", "--option", "first_bits=3", "--set", "2-bits.lr=1e-12"}));
  ASSERT_EQ(done.code, 0) << done.err;
  expect_same_intervals(folder_ / "q/1-3-bits", folder_ / "q/2-2-bits");
  const auto prepared = nlohmann::json::parse(read_file_text(folder_ / "q/2-2-bits.prepared.json"));
  EXPECT_TRUE(prepared.at("fresh").empty()) << prepared;
  EXPECT_TRUE(prepared.at("unused").empty()) << prepared;
}

TEST_F(ProcedureTest, QilGoesOnFromARunOfItsOwnWithMoreBits) {
  const Finished trained =
      run(folder_, testing::train_arguments(
                       folder_, "four",
                       {"--method", "qil", "--wbits", "4", "--abits", "4", "--option", "weight_scale=M"}));
  ASSERT_EQ(trained.code, 0) << trained.err;
  const auto go_on = [&](const std::string& out, Arguments more) {
    Arguments arguments{"quantize", "--from", folder_ / "four", "--out", folder_ / out, "--method", "qil",
                        "--epochs", "1",      "--lr",           "1e-12"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  };
  const Finished down = run(folder_, go_on("q", {"--wbits", "2", "--abits", "2"}));
  ASSERT_EQ(down.code, 0) << down.err;
  expect_same_intervals(folder_ / "four", folder_ / "q/1-3-bits");
  expect_same_intervals(folder_ / "four", folder_ / "q/2-2-bits");
  const auto config = nlohmann::json::parse(read_file_text(folder_ / "q/2-2-bits/config.json"));
  EXPECT_EQ(config.at("options").at("weight_scale"), "M") << "that of the run that it goes on from";

  expect_refusal(go_on("up", {"--wbits", "5", "--abits", "4"}), "has 4/4 bits, and qil goes down from there");
  expect_refusal(go_on("first", {"--wbits", "2", "--abits", "2", "--option", "first_bits=5"}),
                 "first_bits 5 is more than --from has: 4/4 bits");
  Arguments other = go_on("other", {});
  *(std::ranges::find(other, "qil")) = "gdrq";
  expect_refusal(other, "is a run of method 'qil'");
}

TEST_F(ProcedureTest, QilGoesOnFromTwoBitsToOneBitActivations) {
  const Finished trained = run(folder_, testing::train_arguments(folder_, "two", {"--method", "qil"}));
  ASSERT_EQ(trained.code, 0) << trained.err;
  const Finished down = run(folder_, {"quantize", "--from", folder_ / "two", "--out", folder_ / "q",
                                      "--method", "qil", "--epochs", "1", "--wbits", "2", "--abits", "1"});
  ASSERT_EQ(down.code, 0) << down.err;
  const auto config = nlohmann::json::parse(read_file_text(folder_ / "q/1-1-bits/config.json"));
  EXPECT_EQ(config.at("wbits"), 2);
  EXPECT_EQ(config.at("abits"), 1);
}

TEST_F(ProcedureTest, AScheduleThatIsGivenBringsItsOwnWarmup) {
  const auto warmup = [&](const std::string& out, const Arguments& more) {
    Arguments arguments{"--method", "tsq", "--until", "sparse", "--epochs", "0"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Finished finished = run(folder_, quantize(out, arguments));
    EXPECT_EQ(finished.code, 0) << finished.err;
    const auto config = nlohmann::json::parse(read_file_text(folder_ / (out + "/1-sparse/config.json")));
    return config.at("warmup").get<double>();
  };
  EXPECT_EQ(warmup("own", {}), 0.0);  // the method's polynomial
  EXPECT_EQ(warmup("all", {"--schedule", "one-cycle"}), 0.3);
  EXPECT_EQ(warmup("stage", {"--set", "sparse.schedule=one-cycle"}), 0.3);
  EXPECT_EQ(warmup("given", {"--schedule", "one-cycle", "--warmup", "0.1"}), 0.1);
  EXPECT_EQ(warmup("both", {"--set", "sparse.schedule=one-cycle", "--set", "sparse.warmup=0.2"}), 0.2);
}

TEST_F(ProcedureTest, WhatLiesInAStagesFolderIsNotLost) {
  const Arguments settings{"--method", "qil", "--option", "first_bits=3"};
  std::filesystem::create_directories(folder_ / "q/1-3-bits");
  write_file_text(folder_ / "q/1-3-bits/notes.txt", "mine");
  Arguments first = settings;
  first.insert(first.end(), {"--until", "3-bits"});
  const Finished done = run(folder_, quantize("q", first));
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(read_file_text(folder_ / "q/1-3-bits/notes.txt"), "mine");

  // A stage whose last checkpoint somebody removed: its best one is what is left of it.
  std::filesystem::create_directories(folder_ / "q/2-2-bits");
  const Config config = ProcedureFolder::open(folder_ / "q").plan().stages[1].config;
  write_file_text(folder_ / "q/2-2-bits/config.json", config_to_json(config).dump());
  std::filesystem::copy(folder_ / "q/1-3-bits/checkpoint-best.safetensors", folder_ / "q/2-2-bits/");
  const Finished refused = run(folder_, {"resume", folder_ / "q"});
  EXPECT_NE(refused.code, 0);
  EXPECT_NE(refused.err.find("checkpoint-last.safetensors' is gone"), std::string::npos) << refused.err;
  EXPECT_TRUE(exists("q/2-2-bits/checkpoint-best.safetensors"));
}

TEST_F(ProcedureTest, ADeletedStageRunsAgainUnlessALaterOneIsThere) {
  const Finished whole = run(folder_, quantize("q", {"--method", "gdrq"}));
  ASSERT_EQ(whole.code, 0) << whole.err;
  const auto model = read_file_bytes(folder_ / "q/2-fine-tune/model.safetensors");
  const auto resume = [&] { return run(folder_, {"resume", folder_ / "q", "--json"}); };

  std::filesystem::remove_all(folder_ / "q/2-fine-tune");
  const Finished missing = run(folder_, {"eval", folder_ / "q"});
  EXPECT_EQ(missing.code, 3);
  EXPECT_NE(missing.err.find("go on with `trainer resume"), std::string::npos) << missing.err;
  const Finished again = resume();
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(nlohmann::json::parse(again.out).at("ran").size(), 1U);
  EXPECT_EQ(read_file_bytes(folder_ / "q/2-fine-tune/model.safetensors"), model);

  std::filesystem::remove_all(folder_ / "q/1-reshape");
  const Finished nothing = resume();
  ASSERT_EQ(nothing.code, 0) << nothing.err;
  EXPECT_TRUE(nlohmann::json::parse(nothing.out).at("ran").empty()) << "to free its disk space is allowed";
  EXPECT_FALSE(exists("q/1-reshape"));
}

TEST_F(ProcedureTest, KilledAtRandomMomentsItEndsWithTheSameBytes) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  const auto arguments = [&](const std::string& out) {
    return quantize(out, {"--method", "gdrq", "--epochs", "3", "--checkpoint-every", "1"});
  };
  const auto start = Clock::now();
  const Finished whole = run(folder_, arguments("whole"));
  ASSERT_EQ(whole.code, 0) << whole.err;
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> delay(0.0, seconds / 3);
  for (int kill = 0; kill < 8; ++kill) {
    const bool begun = exists("killed/procedure.json");
    Command command(folder_, begun ? Arguments{"resume", folder_ / "killed"} : arguments("killed"));
    std::this_thread::sleep_for(std::chrono::duration<double>(delay(random)));
    command.kill();
    (void)command.wait();
  }
  const Finished end = run(folder_, arguments("killed"));
  ASSERT_EQ(end.code, 0) << end.err;
  testing::expect_same_procedure(folder_, "killed", "whole", {"1-reshape", "2-fine-tune"});
}

TEST(CarryState, TakesWhatHasTheSameNameAndShapeAndListsTheRest) {
  Config config = testing::small_config("", 2, 2);
  const auto quantized = build_run_net(config, {28, 28, 1}, 10);
  config = testing::small_config("", kFloatBits, kFloatBits);
  config.seed = 99;
  const auto plain = build_run_net(config, {28, 28, 1}, 10);
  const CarriedState carried = carry_state(*plain, *quantized);
  EXPECT_TRUE(carried.unused.empty());
  EXPECT_EQ(carried.taken, named_parameters(*plain).size() + named_buffers(*plain).size());
  ASSERT_FALSE(carried.fresh.empty());
  for (const std::string& name : carried.fresh) EXPECT_NE(name.find("quant"), std::string::npos) << name;
  const auto from = named_parameters(*plain);
  for (const NamedParameter& p : named_parameters(*quantized)) {
    const auto same = std::ranges::find(from, p.name, &NamedParameter::name);
    if (same == from.end()) continue;
    EXPECT_TRUE(std::ranges::equal(p.parameter->variable.value().values(),
                                   same->parameter->variable.value().values()))
        << p.name;
  }
}

TEST(Procedures, EveryRowIsAMethodWithStagesThatResolve) {
  for (const ProcedureInfo* procedure : procedures()) {
    SCOPED_TRACE(std::string(procedure->method));
    const MethodInfo& method = find_method(procedure->method);
    PartialConfig flags;
    flags.values.method = std::string(method.name);
    flags.given.insert("method");
    Config request = resolve_config({}, flags);
    procedure->defaults(request);
    const auto options = resolve_options("procedure", procedure->options, {});
    const auto stages = procedure->stages(request, options);
    ASSERT_FALSE(stages.empty());
    Config last = request;
    if (stages.back().change) stages.back().change(last);
    EXPECT_EQ(last.wbits, request.wbits);
    EXPECT_EQ(last.abits, request.abits);
  }
}

TEST(Procedures, OptionsDefaultToThePublishedValues) {
  struct Default {
    const char* method;
    const char* option;
    OptionValue value;
  };
  const Default defaults[] = {{"qil", "first_bits", 5},     {"gdrq", "reshaping", "on"},
                              {"tsq", "tfl_start", "otwa"}, {"tsq", "tfl_front", "asymmetric"},
                              {"tsq", "tfl_bias", "on"},    {"tsq", "tfl_pictures", 2000},
                              {"tsq", "tfl_positions", 8},  {"tsq", "tfl_lambda1", 0.01},
                              {"tsq", "tfl_lambda2", 1},    {"tsq", "tfl_alternations", 25}};
  for (const auto& [method, option, value] : defaults) {
    SCOPED_TRACE(std::string(method) + ", " + option);
    const auto found = std::ranges::find(procedures(), method, &ProcedureInfo::method);
    ASSERT_NE(found, procedures().end());
    const OptionValues options = resolve_options("procedure", (*found)->options, {});
    ASSERT_TRUE(options.contains(option));
    EXPECT_EQ(options.find(option)->second, value) << to_string(options.find(option)->second);
  }
}

/// Weights alone: then activations are float in every stage.
TEST_F(ProcedureTest, GdrqReshapesBesideTheActivationsThatWereAskedFor) {
  for (const auto& [asked, reshaping] : {std::pair{"2", 8}, std::pair{"32", 32}}) {
    const std::string out = std::string("a") + asked;
    const Finished done =
        run(folder_, quantize(out, {"--method", "gdrq", "--abits", asked, "--epochs", "0"}));
    ASSERT_EQ(done.code, 0) << done.err;
    const auto abits = [&](const std::string& stage) {
      return nlohmann::json::parse(read_file_text(folder_ / (out + stage + "/config.json"))).at("abits");
    };
    EXPECT_EQ(abits("/1-reshape"), reshaping);
    EXPECT_EQ(abits("/2-fine-tune"), std::stoi(asked));
  }
}

/// What groups do alone: neither clipped nor trained.
TEST_F(ProcedureTest, GdrqWithoutReshapingConvertsTheFloatWeightsAsTheyAre) {
  const Finished done =
      run(folder_, quantize("c", {"--method", "gdrq", "--abits", "32", "--epochs", "0", "--option",
                                  "reshaping=off", "--option", "alpha=search", "--option", "k_w=1"}));
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_FALSE(std::filesystem::exists(folder_ / "c/1-reshape"));
  const LoadedRun from = load_run(folder_ / "float", Which::Last);
  const LoadedRun converted = load_run(folder_ / "c/1-fine-tune", Which::Last);
  const auto weights = named_parameters(*from.net), same = named_parameters(*converted.net);
  ASSERT_EQ(weights.size(), same.size());
  for (std::size_t i = 0; i < weights.size(); ++i) {
    EXPECT_EQ(weights[i].name, same[i].name);
    EXPECT_TRUE(std::ranges::equal(weights[i].parameter->variable.value().values(),
                                   same[i].parameter->variable.value().values()))
        << same[i].name;
  }
}

}  // namespace
}  // namespace bitplane::train
