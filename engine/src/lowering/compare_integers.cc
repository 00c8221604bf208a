// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "lowering/integer_thresholds.h"
#include "lowering/multiples.h"
#include "lowering/passes.h"
#include "lowering/plane_operands.h"

namespace bitplane::engine {
namespace {

/// As many as kernels compare integers with (LowBitConv::prefers_integers).
constexpr std::size_t kMostThresholds = kernels::kMostPassed;

constexpr std::int32_t kAlways = std::numeric_limits<std::int32_t>::min();
constexpr std::int32_t kNever = std::numeric_limits<std::int32_t>::max();

/// A >= theta as A > theta - 1; the ends keep their meaning.
std::int32_t strictly_above(std::int32_t theta) noexcept {
  return theta == kAlways || theta == kNever ? theta : theta - 1;
}

void write_channel(const ChannelThresholds& tests, std::size_t count, std::size_t c, std::size_t channels,
                   IntegerStage& stage) {
  const bool falling = tests.test == ChannelTest::AtMost;
  stage.flip[c] = falling ? -1 : 0;
  for (std::size_t l = 0; l < count; ++l) {
    std::int32_t& threshold = stage.thresholds[l * channels + c];
    if (tests.test == ChannelTest::Constant) {
      threshold = l < tests.constant_rank ? kAlways : kNever;
    } else {
      // A <= theta is ~A >= ~theta.
      threshold = strictly_above(falling ? ~tests.thresholds[l] : tests.thresholds[l]);
    }
  }
}

}  // namespace

bool has_integer_accumulators(const ModelSpec& spec, const Program& program, const Step& step) {
  if (convolves_bytes(spec, step)) return true;
  if (!convolves_planes(program, step)) return false;
  const auto& weights = std::get<PlaneWeights>(weights_of(spec.nodes[step.node].op));
  const auto& input = std::get<Quantize>(spec.nodes[program.values[step.in].quantizer].op);
  return is_uniform(weights.basis) && weights.offset.empty() && is_uniform(input.basis) &&
         input.offset == 0.0F;
}

bool compares_one_affine(const Stages& stages) noexcept {
  return stages.quantize && stages.affine && !stages.residual && !stages.after && !stages.floats;
}

void compare_integers(const ModelSpec& spec, Program& program) {
  for (Step& step : program.steps) {
    if (!compares_one_affine(step.stages)) continue;
    if (!has_integer_accumulators(spec, program, step)) continue;
    const Affine& affine = *step.stages.affine;
    const std::vector<float>& thresholds = step.stages.quantize->thresholds;
    if (thresholds.size() > kMostThresholds) continue;
    const std::size_t channels = affine.scale.size();
    IntegerStage stage;
    stage.thresholds.resize(thresholds.size() * channels);
    stage.flip.resize(channels);
    for (std::size_t c = 0; c < channels; ++c) {
      write_channel(integer_thresholds(affine.scale[c], affine.shift[c], thresholds), thresholds.size(), c,
                    channels, stage);
    }
    step.integers = std::move(stage);
  }
}

}  // namespace bitplane::engine
