// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>
#include <span>

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

/// The sums of a row's weights above and below zero.
class SignedSums {
 public:
  SignedSums(const PlaneWeights& weights, std::span<const std::int32_t> multiples)
      : weights_(weights), multiples_(multiples) {}

  Range of_row(std::size_t row) {
    const Planes& planes = weights_.planes;
    const std::size_t row_words = kernels::words_for_bits(planes.k);
    sums_ = {};
    for (std::size_t i = 0; i < row_words; ++i) {
      words_ = planes.words.data() + row * row_words + i;
      stride_ = planes.rows * row_words;
      const std::size_t left = planes.k - i * 64;
      add(left >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << left) - 1, 0, 0);
    }
    return sums_;
  }

 private:
  /// The elements of `mask`, which agree in the planes before `plane` and are worth `value` so far: divided
  /// by that plane's bit, so that 64 elements cost a few operations per code that occurs and not 64 of them.
  void add(std::uint64_t mask, std::size_t plane, std::int64_t value) {
    if (mask == 0) return;
    if (plane == multiples_.size()) {
      (value > 0 ? sums_.high : sums_.low) += value * std::popcount(mask);
      return;
    }
    const std::uint64_t word = words_[plane * stride_];
    const std::int64_t m = multiples_[plane];
    add(mask & word, plane + 1, value + m);
    add(mask & ~word, plane + 1, weights_.encoding == PlaneEncoding::Bipolar ? value - m : value);
  }

  const PlaneWeights& weights_;
  std::span<const std::int32_t> multiples_;
  const std::uint64_t* words_ = nullptr;
  std::size_t stride_ = 0;
  Range sums_;
};

std::size_t constant_channels(const PlaneWeights& weights, const Quantize& input, const Stages& stages) {
  const Range codes = code_range(input.bits, input.encoding);
  const Range activation{std::min<std::int64_t>(codes.low, 0),  // a padded pixel counts 0
                         std::max<std::int64_t>(codes.high, 0)};
  const std::vector<std::int32_t> multiples = plane_multiples(weights.planes.planes, weights.encoding);
  SignedSums sums(weights, multiples);
  std::size_t count = 0;
  for (std::size_t c = 0; c < weights.planes.rows; ++c) {
    const Range w = sums.of_row(c);
    const Range range{w.high * activation.low + w.low * activation.high,
                      w.high * activation.high + w.low * activation.low};
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
