// SPDX-License-Identifier: Apache-2.0
#include "trainer/methods/method.h"

#include <gtest/gtest.h>

#include <set>
#include <stdexcept>
#include <tuple>

#include "trainer/run_support.h"

namespace bitplane::train {
namespace {

MethodSettings lq(std::size_t wbits, std::size_t abits) {
  return {.method = "lq-nets", .wbits = wbits, .abits = abits};
}

std::string refusal(const MethodSettings& settings) {
  return testing::message_of<std::invalid_argument>([&] { (void)resolve_method(settings); });
}

TEST(Methods, DefaultsOfEveryMethodAreAccepted) {
  for (const MethodInfo& method : methods()) {
    SCOPED_TRACE(std::string(method.name));
    const MethodSettings settings = resolve_method(
        {.method = std::string(method.name), .wbits = method.defaults.wbits, .abits = method.defaults.abits});
    EXPECT_EQ(settings.options.size(), method_options(method).size());
    const QuantizationPlan plan = make_plan(settings);
    EXPECT_EQ(static_cast<bool>(plan.weights), method.defaults.wbits != kFloatBits);
    EXPECT_EQ(static_cast<bool>(plan.activations), method.defaults.abits != kFloatBits);
  }
}

TEST(Methods, EveryNumberOfBitsReachesTheQuantizers) {
  for (const MethodInfo& method : methods()) {
    SCOPED_TRACE(std::string(method.name));
    const BitRange weights = weight_bits(method), activations = activation_bits(method);
    for (std::size_t bits = weights.min; bits <= weights.max && bits > 0; ++bits) {
      const MethodSettings settings{.method = std::string(method.name), .wbits = bits};
      const QuantizationPlan plan = make_plan(resolve_method(settings));
      EXPECT_EQ(plan.weights({.out_channels = 3, .filter_size = 9, .kernel_area = 9})->bits(), bits);
      EXPECT_FALSE(plan.activations);
    }
    for (std::size_t bits = activations.min; bits <= activations.max && bits > 0; ++bits) {
      const MethodSettings settings{.method = std::string(method.name), .wbits = weights.min, .abits = bits};
      EXPECT_EQ(make_plan(resolve_method(settings)).activations()->bits(), bits);
    }
  }
}

TEST(Methods, WeightsAloneMayBeQuantized) {
  const QuantizationPlan plan = make_plan(resolve_method(lq(2, 32)));
  EXPECT_TRUE(plan.weights);
  EXPECT_FALSE(plan.activations);
}

TEST(Methods, PairsThatMakeNoSenseAreRefusedWithASentence) {
  EXPECT_NE(refusal(lq(32, 2)).find("give wbits 1 to 8"), std::string::npos) << refusal(lq(32, 2));
  EXPECT_NE(refusal(lq(32, 32)).find("choose method 'float'"), std::string::npos);
  const std::string kept = refusal({.method = "float", .wbits = 2, .abits = 2});
  EXPECT_NE(kept.find("'float' keeps 32 bits"), std::string::npos) << kept;
}

/// They change between steps, so the run is not that of method 'float'.
TEST(Methods, ReshapedFloatWeightsMayHaveFloatActivations) {
  const MethodSettings settings{"gdrq", kFloatBits, kFloatBits, {{"reshape", "project"}}};
  const QuantizationPlan plan = make_plan(resolve_method(settings));
  ASSERT_TRUE(plan.weights);
  EXPECT_TRUE(plan.weights({.out_channels = 3, .filter_size = 9})->keeps_floats());
  EXPECT_FALSE(plan.activations);
  for (const char* method : {"gdrq", "tsq", "lq-nets"}) {
    EXPECT_NE(refusal({.method = method}).find("choose method 'float'"), std::string::npos) << method;
  }
}

TEST(Methods, AnyActivationsAreThoseOfEveryQuantizer) {
  std::set<std::string_view> all;
  for (const QuantizerInfo* quantizer : quantizers()) {
    if (quantizer->activations != nullptr) all.insert(quantizer->name);
  }
  for (const MethodInfo& method : methods()) {
    for (const OptionInfo& option : method.options) {
      if (option.name != "activations") continue;
      SCOPED_TRACE(std::string(method.name));
      EXPECT_EQ(std::set<std::string_view>(option.choices.begin(), option.choices.end()), all);
      EXPECT_EQ(option.choices.size(), all.size());
      EXPECT_EQ(option.choices.front(), method.activation_quantizer);
    }
  }
}

/// Where the papers name a number, or leave a choice that runs of them rest on.
TEST(Methods, OptionsDefaultToThePublishedValues) {
  struct Default {
    const char* method;
    const char* option;
    OptionValue value;
  };
  const Default defaults[] = {
      {"lq-nets", "alternations", 1},
      {"lq-nets", "ema_debias", 0},
      {"lq-nets", "optimize", "qem"},
      {"qil", "weight_scale", "unit"},
      {"tsq", "theta", 0.625},
      {"tsq", "pass_below_eps", 0},
      {"gdrq", "group_size", 1},
      {"gdrq", "k_w", 2},
      {"gdrq", "weight_slope", "pass"},
      {"gdrq", "k_a", 4},
      {"gdrq", "eta", 0.01},
      {"gdrq", "layers", "not-last"},
      {"pact", "clip_start", 10},
      {"hwgq", "levels", "uniform"},
      {"hwgq", "tail", "clipped"},
      {"hwgq", "weight_gradient", "pass"},
      {"xnor-net", "weight_gradient", "pass"},
      {"slq", "order", "magnitude"},
      {"slq", "start", "nonlinear"},
      {"slq", "layers", "all"},
      {"mlq", "layers", "all"},
      {"inq", "layers", "inner"},
  };
  for (const auto& [method, option, value] : defaults) {
    SCOPED_TRACE(std::string(method) + ", " + option);
    const OptionValues options = resolve_method({.method = method,
                                                 .wbits = find_method(method).defaults.wbits,
                                                 .abits = find_method(method).defaults.abits})
                                     .options;
    ASSERT_TRUE(options.contains(option));
    EXPECT_EQ(options.find(option)->second, value) << to_string(options.find(option)->second);
  }
}

/// Rows of results that name no decay have these.
TEST(Methods, DecaysDefaultToThePublishedValues) {
  const std::pair<const char*, double> decays[] = {
      {"float", 5e-4},  {"lq-nets", 1e-3},    {"qil", 2e-4},  {"tsq", 5e-4},      {"gdrq", 5e-4},
      {"slq", 5e-4},    {"eslq", 5e-4},       {"mlq", 5e-4},  {"inq", 5e-4},      {"lsq", 1e-4},
      {"dorefa", 1e-4}, {"pact", 1e-4},       {"hwgq", 5e-4}, {"xnor-net", 1e-4}, {"bnn", 0},
      {"bwn", 1e-4},    {"binaryconnect", 0}, {"twn", 1e-4},  {"ttq", 1e-4},      {"abc-net", 1e-4},
  };
  EXPECT_EQ(std::size(decays), methods().size());
  for (const auto& [method, decay] : decays) {
    EXPECT_EQ(find_method(method).defaults.weight_decay, decay) << method;
    EXPECT_EQ(find_method(method).defaults.lr, 0.1) << method;
  }
}

TEST(Methods, BitsOutsideTheRangeAreRefused) {
  for (const std::size_t bits : {0, 9, 16, 31, 33}) {
    EXPECT_NE(refusal(lq(bits, 2))
                  .find("wbits is " + std::to_string(bits) + ": with method 'lq-nets' bits are 1 to 8"),
              std::string::npos)
        << refusal(lq(bits, 2));
    EXPECT_NE(refusal(lq(2, bits)).find("abits is " + std::to_string(bits)), std::string::npos);
  }
}

TEST(Methods, UnknownNamesAreRefusedWithTheNearest) {
  EXPECT_NE(refusal({.method = "lqnets", .wbits = 2, .abits = 2}).find("did you mean 'lq-nets'"),
            std::string::npos);
  MethodSettings settings = lq(2, 2);
  settings.options["alternation"] = 1;
  EXPECT_NE(refusal(settings).find("did you mean 'alternations'"), std::string::npos) << refusal(settings);
  settings.options = {{"alternations", 0}};
  EXPECT_NE(refusal(settings).find("from 1 to 10"), std::string::npos) << refusal(settings);
}

}  // namespace
}  // namespace bitplane::train
