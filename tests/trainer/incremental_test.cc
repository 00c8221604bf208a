// SPDX-License-Identifier: Apache-2.0
//
// Quantizing part by part: what is frozen stays, gradients and optimizers pass it over, every machine finds
// the same bits; and INQ's rule.
#include "trainer/quantizers/incremental.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <set>

#include "golden_support.h"
#include "incremental_support.h"
#include "optim_support.h"
#include "trainer/autograd/gradcheck.h"
#include "trainer/ops/quantize.h"
#include "trainer/optim/optimizer.h"
#include "trainer/quantizers/clustering/k_means.h"
#include "trainer_support.h"

namespace bitplane::train::testing {
namespace {

class IncrementalTest : public ::testing::Test {
 protected:
  /// body(quantizer's name, bits) for each that quantizes part by part.
  static void for_each(const std::function<void(std::string_view name, std::size_t bits)>& body) {
    std::size_t found = 0;
    for (const QuantizerInfo* info : quantizers()) {
      for (std::size_t bits = info->weight_bits.min; bits <= info->weight_bits.max && bits > 0; ++bits) {
        const auto quantizer = info->make_weights({.bits = bits});
        if (dynamic_cast<IncrementalWeights*>(quantizer.get()) == nullptr) break;
        SCOPED_TRACE(std::string(info->name) + ", bits " + std::to_string(bits));
        body(info->name, bits);
        ++found;
      }
    }
    EXPECT_EQ(found, 11U);
  }
  void advance(IncrementalWeights& quantizer, Tensor& weights) {
    quantizer.choose(backend_, weights, no_loss);
    quantizer.freeze(backend_, weights);
  }

  Backend backend_{{.threads = 2}};
  Context ctx_{backend_};
};

TEST_F(IncrementalTest, WhatIsFrozenNeverMovesAgainAndInTheEndAllIs) {
  for_each([&](std::string_view name, std::size_t bits) {
    Tensor weights = random_tensor({8, 3, 3, 13}, 11);
    const auto owner = make_quantizer(name, bits, weights);
    IncrementalWeights& quantizer = incremental(*owner);
    std::size_t before = 0;
    for (std::uint64_t part = 0; part < quantizer.parts(); ++part) {
      EXPECT_TRUE(quantizer.keeps_floats());
      EXPECT_THROW(static_cast<void>(quantizer.export_weights(weights)), std::invalid_argument);
      const Tensor mask = quantizer.frozen().clone(), kept = weights.clone();
      advance(quantizer, weights);
      for (std::size_t i = 0; i < weights.size(); ++i) {
        if (mask.data()[i] == 0.0F) continue;
        ASSERT_EQ(quantizer.frozen().data()[i], 1.0F);
        ASSERT_EQ(weights.data()[i], kept.data()[i]);
      }
      EXPECT_GT(count_frozen(quantizer), before);
      before = count_frozen(quantizer);
      // The rest is trained.
      const Tensor noise = random_tensor(weights.shape(), part, "training");
      for (std::size_t i = 0; i < weights.size(); ++i) {
        if (quantizer.frozen().data()[i] == 0.0F) weights.mutable_data()[i] += 0.1F * noise.data()[i];
      }
    }
    EXPECT_EQ(before, weights.size());
    EXPECT_FALSE(quantizer.keeps_floats());
    const std::set<float> distinct(weights.values().begin(), weights.values().end());
    EXPECT_LE(distinct.size(), quantizer.levels().size());
    EXPECT_EQ(quantizer.frozen_share(), 1.0);
    Tensor moved = weights.clone();
    moved.mutable_data()[5] += 1e-3F;
    EXPECT_THROW(static_cast<void>(quantizer.export_codebook(moved)), std::invalid_argument);
  });
}

TEST_F(IncrementalTest, GradientsPassOverWhatIsFrozen) {
  for_each([&](std::string_view name, std::size_t bits) {
    Tensor weights = random_tensor({5, 3, 3, 2}, 12);
    const auto owner = make_quantizer(name, bits, weights);
    advance(incremental(*owner), weights);
    const Variable w(weights, Gradient::Required);
    const GradcheckReport report = gradcheck(
        ctx_, [&](const std::vector<Variable>& in) { return quantize_weights(ctx_, in[0], *owner); },
        [&](const std::vector<DoubleValues>& p) { return owner->surrogate({.at = weights, .x = p[0]}); },
        {w});
    EXPECT_TRUE(report.ok) << report.str();
    const std::size_t frozen = count_frozen(incremental(*owner));
    EXPECT_GT(frozen, 0U);
    EXPECT_LT(frozen, weights.size());
  });
}

TEST_F(IncrementalTest, StateIsWholeInACheckpoint) {
  for_each([&](std::string_view name, std::size_t bits) {
    Tensor weights = random_tensor({6, 50}, 13);
    const auto first = make_quantizer(name, bits, weights), second = make_quantizer(name, bits, weights);
    advance(incremental(*first), weights);
    std::map<std::string, Tensor> saved;
    const auto buffers = [](const std::function<void(const std::string&, Tensor&)>& visit) {
      return StateVisitor{.parameter = [](const std::string& at, Parameter&) { FAIL() << at; },
                          .buffer = visit};
    };
    first->visit_state("q.", buffers([&](const std::string& at, Tensor& t) { saved[at] = t.clone(); }));
    second->visit_state("q.", buffers([&](const std::string& at, Tensor& t) { t.copy_from(saved.at(at)); }));
    Tensor same = weights.clone();
    quantize_all_parts(backend_, *first, weights);
    quantize_all_parts(backend_, *second, same);
    EXPECT_EQ(bits_of(weights), bits_of(same));
  });
}

TEST_F(IncrementalTest, OptimizersLeaveFrozenWeightsAlone) {
  const std::size_t size = 700;  // more than one chunk
  const Tensor start = random_tensor({size}, 14), gradient = random_tensor({size}, 15);
  Tensor frozen = Tensor::zeros({size});
  for (std::size_t i = 0; i < size; i += 3) frozen.mutable_data()[i] = 1.0F;
  for (const OptimizerInfo& info : optimizers()) {
    SCOPED_TRACE(std::string(info.name));
    LooseParameters free, held;
    free.add("w", start);
    held.add("w", start);
    held.parameters[0].frozen = frozen;
    const auto free_optimizer = info.make(free.named(), {.weight_decay = 0.1});
    const auto held_optimizer = info.make(held.named(), {.weight_decay = 0.1});
    for (int step = 0; step < 3; ++step) {
      give_gradient(backend_, free.parameters[0].variable, gradient.values());
      give_gradient(backend_, held.parameters[0].variable, gradient.values());
      free_optimizer->step(backend_, 0.05);
      held_optimizer->step(backend_, 0.05);
    }
    const Tensor &free_w = free.parameters[0].variable.value(), &held_w = held.parameters[0].variable.value();
    for (std::size_t i = 0; i < size; ++i)
      ASSERT_EQ(held_w.data()[i], (i % 3 == 0 ? start : free_w).data()[i]) << i;
    held_optimizer->visit_state([&](const std::string& name, Tensor& state) {
      if (state.size() != size) return;
      for (std::size_t i = 0; i < size; i += 3) ASSERT_EQ(state.data()[i], 0.0F) << name << ", " << i;
      EXPECT_NE(state.data()[1], 0.0F);
    });
  }
}

TEST_F(IncrementalTest, MaskedStepsAreTheReferences) {
  for (const Json& c : golden::cases("nn", "sgd")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    LooseParameters loose;
    loose.add("theta", tensor(c.at("theta")));
    Tensor frozen = tensor(c.at("mask"));
    for (float& mark : frozen.mutable_values()) mark = 1.0F - mark;
    loose.parameters[0].frozen = frozen;
    const auto sgd =
        make_sgd(loose.named(), {.momentum = c.at("momentum"), .weight_decay = c.at("weight_decay")});
    const Tensor gradients = tensor(c.at("gradients"));
    const std::size_t steps = gradients.shape()[0], size = gradients.shape()[1];
    std::vector<float> theta;
    for (std::size_t s = 0; s < steps; ++s) {
      give_gradient(backend_, loose.parameters[0].variable, gradients.values().subspan(s * size, size));
      sgd->step(backend_, c.at("lr"));
      const auto now = loose.parameters[0].variable.value().values();
      theta.insert(theta.end(), now.begin(), now.end());
    }
    expect_close<float>(theta, doubles(c.at("theta_after_masked")), kFloatTolerance, "theta_after_masked");
  }
}

TEST_F(IncrementalTest, EveryMachineFindsTheSameBits) {
  const Tensor start = random_tensor({50, 1000}, 21);  // several blocks of sums
  for_each([&](std::string_view name, std::size_t bits) {
    std::vector<std::uint32_t> expected;
    for (const Machine& machine : machines()) {
      SCOPED_TRACE(machine.str());
      Backend backend(machine.options());
      Tensor weights = start.clone();
      const auto quantizer = make_quantizer(name, bits, weights);
      quantize_all_parts(backend, *quantizer, weights);
      if (expected.empty()) expected = bits_of(weights);
      EXPECT_EQ(bits_of(weights), expected);
    }
  });
}

TEST_F(IncrementalTest, PowersOfTwoAreIntegerPlanes) {
  for (const auto& [name, planes] : {std::pair{"eslq", 9U}, std::pair{"inq", 9U}}) {
    SCOPED_TRACE(name);
    Tensor weights = random_tensor({20, 30}, 34);
    const auto owner = make_quantizer(name, 5, weights);
    quantize_all_parts(backend_, *owner, weights);
    const WeightExport e = owner->export_weights(weights);
    EXPECT_EQ(e.planes, planes);
    EXPECT_EQ(e.encoding, engine::PlaneEncoding::TwosComplement);
    EXPECT_TRUE(std::holds_alternative<engine::UniformBasis>(e.basis));
  }
}

TEST_F(IncrementalTest, AllZeroLayersStayZero) {
  for_each([&](std::string_view name, std::size_t bits) {
    Tensor weights = Tensor::zeros({4, 9});
    const auto owner = make_quantizer(name, bits, weights);
    quantize_all_parts(backend_, *owner, weights);
    EXPECT_EQ(bits_of(weights), bits_of(Tensor::zeros({4, 9})));
    EXPECT_NO_THROW(static_cast<void>(owner->export_weights(weights)));
  });
}

/// The nearest of the levels in the sense of the paper: powers of two divide at (alpha + beta) / 2, the
/// smallest and 0 at half of it.
float inq_by_definition(float w, int n1, int n2) {
  const double magnitude = std::fabs(static_cast<double>(w));
  double alpha = 0;
  for (int e = n2; e <= n1; ++e) {
    const double beta = std::ldexp(1.0, e);
    if ((alpha + beta) / 2 <= magnitude && (magnitude < 1.5 * beta || e == n1))
      return static_cast<float>(w < 0 ? -beta : beta);
    alpha = beta;
  }
  return 0.0F;
}

TEST_F(IncrementalTest, InqQuantizesTheLargestByThePapersRule) {
  for (std::size_t bits = 2; bits <= 5; ++bits) {
    for (const char* shares : {"50-75-87.5-100", "30-60-80-100"}) {
      SCOPED_TRACE("bits " + std::to_string(bits) + ", shares " + shares);
      Tensor weights = random_tensor({25, 40}, 35);
      const Tensor float_weights = weights.clone();
      const auto largest = static_cast<double>(largest_magnitude(weights.values()));
      const int n1 = static_cast<int>(std::floor(std::log2(4 * largest / 3))),
                n2 = n1 + 1 - (1 << (bits - 1)) / 2;
      const auto owner = make_quantizer("inq", bits, weights, {{"shares", shares}});
      IncrementalWeights& quantizer = incremental(*owner);
      const bool halves = std::string(shares) == "50-75-87.5-100";
      for (const double share :
           halves ? std::vector<double>{0.5, 0.75, 0.875, 1} : std::vector<double>{0.3, 0.6, 0.8, 1}) {
        advance(quantizer, weights);
        EXPECT_EQ(count_frozen(quantizer), static_cast<std::size_t>(share * 1000 + 0.5));
        float smallest_frozen = std::numeric_limits<float>::infinity(), largest_free = 0;
        for (std::size_t i = 0; i < weights.size(); ++i) {
          const float w = float_weights.data()[i];
          if (quantizer.frozen().data()[i] == 0.0F) {
            largest_free = std::max(largest_free, std::fabs(w));
            EXPECT_EQ(weights.data()[i], w);
          } else {
            smallest_frozen = std::min(smallest_frozen, std::fabs(w));
            EXPECT_EQ(weights.data()[i], inq_by_definition(w, n1, n2)) << w;
          }
        }
        EXPECT_GE(smallest_frozen, largest_free);
      }
    }
  }
}

}  // namespace
}  // namespace bitplane::train::testing
