// SPDX-License-Identifier: Apache-2.0
#include "trainer/config/config.h"

#include <gtest/gtest.h>

#include <fstream>
#include <stdexcept>

#include "trainer/run_support.h"

namespace bitplane::train {
namespace {

using Json = nlohmann::json;

std::string config_refusal(const Json& source) {
  return testing::message_of<std::invalid_argument>(
      [&] { (void)resolve_config(config_from_json(source), {}); });
}

TEST(Config, ComesBackFromJsonUnchanged) {
  Config config = resolve_config({}, {});
  config.lr = 0.1 + 0.2;  // a number that needs all its digits
  config.weight_decay = 1e-4;
  config.seed = 18446744073709551615U;
  config.data_dir = "a \"quoted\" folder";
  const std::string text = config_to_json(config).dump();
  EXPECT_EQ(resolve_config(config_from_json(Json::parse(text)), {}), config) << text;
}

TEST(Config, EveryFieldIsAKeyAndAFlag) {
  const auto written = config_to_json(Config{});
  EXPECT_EQ(written.size(), config_fields().size() + 1);
  for (const ConfigField& field : config_fields()) {
    EXPECT_TRUE(written.contains(std::string(field.name)));
    EXPECT_TRUE(flag_of(field).starts_with("--"));
    EXPECT_EQ(flag_of(field).find('_'), std::string::npos);
    EXPECT_FALSE(field.help.empty());
  }
}

TEST(Config, FlagsBeatTheFileAndTheFileBeatsTheMethod) {
  const PartialConfig file = config_from_json({{"method", "lq-nets"}, {"wbits", 3}, {"epochs", 9}});
  PartialConfig flags;
  flags.values.epochs = 2;
  flags.given = {"epochs"};
  const Config config = resolve_config(file, flags);
  EXPECT_EQ(config.wbits, 3U);
  EXPECT_EQ(config.abits, find_method("lq-nets").defaults.abits);
  EXPECT_EQ(config.epochs, 2U);
}

TEST(Config, TheMethodsDefaultsFollowTheMethodOfTheFlags) {
  PartialConfig flags;
  flags.values.method = "float";
  flags.given = {"method"};
  const Config config = resolve_config({}, flags);
  EXPECT_EQ(config.wbits, kFloatBits);
  EXPECT_EQ(config.abits, kFloatBits);
  EXPECT_TRUE(config.options.empty());
}

TEST(Config, TheWarmUpFollowsTheSchedule) {
  EXPECT_EQ(resolve_config({}, {}).warmup, 0.3);
  EXPECT_EQ(resolve_config(config_from_json({{"schedule", "cosine"}}), {}).warmup, 0.0);
  EXPECT_EQ(resolve_config(config_from_json({{"schedule", "cosine"}, {"warmup", 0.1}}), {}).warmup, 0.1);
  EXPECT_EQ(drop_epochs(resolve_config(config_from_json({{"drops", "60,80"}, {"epochs", 100}}), {})),
            (std::vector<std::uint64_t>{60, 80}));
}

TEST(Config, AnAverageIsWhatIsEvaluatedUnlessItIsSaidOtherwise) {
  EXPECT_EQ(resolve_config({}, {}).weights, "trained");
  EXPECT_EQ(resolve_config(config_from_json({{"ema", 0.99}}), {}).weights, "averaged");
  EXPECT_EQ(resolve_config(config_from_json({{"ema", 0.99}, {"weights", "trained"}}), {}).weights, "trained");
}

/// A config file holds all of a run's settings, also those that only belong to another one.
TEST(Config, WhatBelongsToASettingThatAFlagReplacesGoesWithIt) {
  const PartialConfig file = config_from_json(config_to_json(resolve_config({}, {})));
  const auto with = [&](const nlohmann::json& flags) {
    return resolve_config(file, config_from_json(flags));
  };
  EXPECT_EQ(with({{"schedule", "cosine"}}).warmup, 0.0);
  EXPECT_EQ(with({{"schedule", "one-cycle"}}).warmup, 0.3);
  EXPECT_EQ(with({{"schedule", "cosine"}, {"warmup", 0.2}}).warmup, 0.2);
  EXPECT_EQ(with({{"ema", 0.9}}).weights, "averaged");
  EXPECT_EQ(with({{"ema", 0.9}, {"weights", "trained"}}).weights, "trained");
  const PartialConfig averaging = config_from_json({{"ema", 0.9}, {"weights", "trained"}, {"warmup", 0.1}});
  EXPECT_EQ(resolve_config(averaging, config_from_json({{"ema", 0.99}})).weights, "trained");
  const PartialConfig averaged = config_from_json({{"ema", 0.9}, {"weights", "averaged"}});
  EXPECT_EQ(resolve_config(averaged, config_from_json({{"ema", 0}})).weights, "trained");
}

TEST(Config, SwitchesOfTheMethodAreStored) {
  const Config config = resolve_config(config_from_json({{"options", {{"alternations", 2}}}}), {});
  EXPECT_EQ(config.options,
            (MethodOptionValues{{"alternations", 2}, {"ema_debias", 0}, {"optimize", "qem"}}));
}

TEST(Config, BadValuesAreRefusedByName) {
  const std::vector<std::pair<Json, std::string>> cases{
      {{{"epoch", 5}}, "did you mean 'epochs'"},
      {{{"epochs", 2000000}}, "epochs is 2000000"},
      {{{"epochs", -1}}, "'epochs' is -1"},
      {{{"batch", 0}}, "batch is 0"},
      {{{"lr", 0}}, "lr is 0"},
      {{{"lr", "high"}}, "'lr' is \"high\": it must be a number"},
      {{{"net", 3}}, "'net' is 3: it must be a string"},
      {{{"net", "cnn_small"}}, "did you mean 'cnn-small'"},
      {{{"data", "fashion-minst"}}, "did you mean 'fashion-mnist'"},
      {{{"schedule", "onecycle"}}, "did you mean 'one-cycle'"},
      {{{"optimizer", "sdg"}}, "did you mean 'sgd'"},
      {{{"method", "flaot"}}, "did you mean 'float'"},
      {{{"momentum", 1.0}}, "momentum is 1"},
      {{{"warmup", 1.5}}, "warmup is 1.5"},
      {{{"drops", "3,2"}, {"epochs", 9}}, "drops is '3,2'"},
      {{{"ema", 1.0}}, "ema is 1"},
      {{{"weights", "averaged"}}, "give ema"},
      {{{"weights", "avreaged"}, {"ema", 0.9}}, "did you mean 'averaged'"},
      {{{"label_smoothing", 1.0}}, "label_smoothing is 1"},
      {{{"clip_norm", -1.0}}, "clip_norm is -1"},
      {{{"groups", "fc lr=1"}}, "no ':' behind the names"},
      {{{"drops", "3;4"}, {"epochs", 9}}, "drops is '3;4'"},
      {{{"drops", "9"}, {"epochs", 9}}, "between 0 and epochs (9)"},
      {{{"weight_decay", -1e-4}}, "weight_decay is"},
      {{{"wbits", 9}}, "bits are 1 to 8"},
      {{{"options", {{"alternations", 1.5}}}}, "1.5: that is no whole number"},
      {{{"options", 1}}, "'options' is 1"},
      {Json::array(), "JSON object"},
  };
  for (const auto& [source, expected] : cases) {
    EXPECT_NE(config_refusal(source).find(expected), std::string::npos)
        << source << " -> " << config_refusal(source);
  }
}

TEST(Config, FilesThatCannotBeReadAreNamed) {
  const testing::TemporaryFolder folder;
  const auto read = [](const std::string& path) {
    return testing::message_of<std::runtime_error>([&] { (void)read_config_file(path); });
  };
  EXPECT_NE(read(folder / "none.json").find("none.json': No such file"), std::string::npos);
  std::ofstream(folder / "bad.json") << "{\"epochs\": 5,}";
  EXPECT_NE(read(folder / "bad.json").find("bad.json: not JSON at byte"), std::string::npos);
  std::ofstream(folder / "key.json") << "{\"epoch\": 5}";
  const std::string key =
      testing::message_of<std::invalid_argument>([&] { (void)read_config_file(folder / "key.json"); });
  EXPECT_NE(key.find("key.json: unknown config key"), std::string::npos) << key;
}

}  // namespace
}  // namespace bitplane::train
