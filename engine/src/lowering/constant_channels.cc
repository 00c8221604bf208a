// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "lowering/integer_thresholds.h"
#include "lowering/multiples.h"
#include "lowering/passes.h"
#include "lowering/plane_operands.h"

namespace bitplane::engine {
namespace {

struct Range {
  std::int64_t low = 0, high = 0;
};

/// The smallest and the largest integer that a code of these planes stands for.
Range code_range(std::size_t planes, PlaneEncoding encoding) {
  Range range;
  for (const std::int32_t m : plane_multiples(planes, encoding)) {
    const std::int64_t off = encoding == PlaneEncoding::Bipolar ? -std::int64_t{m} : 0;
    range.low += std::min<std::int64_t>(off, m);
    range.high += std::max<std::int64_t>(off, m);
  }
  return range;
}

std::int64_t weight_value(const PlaneWeights& weights, std::span<const std::int32_t> multiples,
                          std::size_t row, std::size_t k) {
  const Planes& planes = weights.planes;
  const std::size_t row_words = kernels::words_for_bits(planes.k);
  std::int64_t value = 0;
  for (std::size_t i = 0; i < planes.planes; ++i) {
    const std::uint64_t word = planes.words[(i * planes.rows + row) * row_words + k / 64];
    const bool bit = ((word >> (k % 64)) & 1U) != 0;
    if (bit) value += multiples[i];
    if (!bit && weights.encoding == PlaneEncoding::Bipolar) value -= multiples[i];
  }
  return value;
}

/// The accumulators that a channel can reach; a padded pixel counts 0.
Range accumulator_range(const PlaneWeights& weights, std::size_t row, Range activation) {
  const Range with_zero{std::min<std::int64_t>(activation.low, 0),
                        std::max<std::int64_t>(activation.high, 0)};
  const std::vector<std::int32_t> multiples = plane_multiples(weights.planes.planes, weights.encoding);
  Range range;
  for (std::size_t k = 0; k < weights.planes.k; ++k) {
    const std::int64_t w = weight_value(weights, multiples, row, k);
    range.low += w * (w > 0 ? with_zero.low : with_zero.high);
    range.high += w * (w > 0 ? with_zero.high : with_zero.low);
  }
  return range;
}

std::size_t constant_channels(const PlaneWeights& weights, const Quantize& input, const Stages& stages) {
  const Range activation = code_range(input.bits, input.encoding);
  std::size_t count = 0;
  for (std::size_t c = 0; c < weights.planes.rows; ++c) {
    const Range range = accumulator_range(weights, c, activation);
    const ChannelThresholds channel =
        integer_thresholds(stages.affine->scale[c], stages.affine->shift[c], stages.quantize->thresholds);
    const auto rank = [&](std::int64_t a) { return channel.rank(static_cast<std::int32_t>(a)); };
    count += rank(range.low) == rank(range.high) ? 1 : 0;
  }
  return count;
}

}  // namespace

void count_constant_channels(const ModelSpec& spec, Program& program) {
  for (Step& step : program.steps) {
    if (!compares_one_affine(step.stages) || !has_integer_accumulators(spec, program, step) ||
        convolves_bytes(spec, step)) {
      continue;
    }
    const auto& weights = std::get<PlaneWeights>(weights_of(spec.nodes[step.node].op));
    const Quantize& input = std::get<Quantize>(spec.nodes[program.values[step.in].quantizer].op);
    step.constant_channels = constant_channels(weights, input, step.stages);
  }
}

}  // namespace bitplane::engine
