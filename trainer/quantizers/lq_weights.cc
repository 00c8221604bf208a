// SPDX-License-Identifier: Apache-2.0
#include "trainer/quantizers/lq_weights.h"

#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>

#include "trainer/quantizers/lq_basis.h"

namespace bitplane::train {
namespace {

constexpr auto kWeightEncoding = kernels::Encoding::Bipolar;
constexpr std::size_t kFiltersPerChunk = 8;

std::vector<float> to_float(std::span<const double> v) {
  std::vector<float> f;
  for (const double x : v) f.push_back(static_cast<float>(x));
  return f;
}

/// Counts and sums by rank; ranks go to `rank`.
RankStatistics rank_filter(const ThresholdTable& table, std::span<const float> filter,
                           std::span<std::uint8_t> rank) {
  RankStatistics statistics{std::vector<std::uint64_t>(table.levels.size()),
                            std::vector<double>(table.levels.size())};
  for (std::size_t i = 0; i < filter.size(); ++i) {
    const std::size_t r = rank_of(table.thresholds, filter[i]);
    rank[i] = static_cast<std::uint8_t>(r);
    ++statistics.count[r];
    statistics.sum[r] += static_cast<double>(filter[i]);
  }
  return statistics;
}

}  // namespace

LqWeights::LqWeights(const WeightQuantizerOptions& options)
    : options_(options), basis_({options.out_channels, options.bits}), steps_(Tensor::zeros({1})) {
  if (options.bits < 1 || options.bits > 8) {
    throw std::invalid_argument("LQ-Nets weights take 1 to 8 bits, got " + std::to_string(options.bits));
  }
  // Uniform levels whose step is the third quartile of N(0, sqrt(2 / fan-out)).
  const auto fan_out = static_cast<double>(options.kernel_area * options.out_channels);
  const double top =
      0.6745 * std::sqrt(2.0 / fan_out) / static_cast<double>(std::size_t{1} << (options.bits - 1));
  for (std::size_t i = 0; i < basis_.size(); ++i) {
    basis_.mutable_data()[i] =
        static_cast<float>(top * static_cast<double>(std::size_t{1} << (i % options.bits)));
  }
}

std::string_view LqWeights::name() const noexcept {
  return "lq-nets";
}

void LqWeights::visit_state(const std::string& prefix, const StateVisitor& visitor) {
  visitor.buffer(prefix + "basis", basis_);
  if (options_.ema_debias) visitor.buffer(prefix + "steps", steps_);
}

void LqWeights::check(const Tensor& weights) const {
  if (weights.shape().front() != options_.out_channels ||
      weights.size() != options_.out_channels * options_.filter_size) {
    throw std::invalid_argument("LQ-Nets quantizer for " + std::to_string(options_.out_channels) +
                                " filters of " + std::to_string(options_.filter_size) +
                                " elements got weights " + weights.shape().str());
  }
}

Tensor LqWeights::forward(const Context& ctx, const Tensor& weights) {
  check(weights);
  const std::size_t m = options_.filter_size, bits = options_.bits;
  const bool training = ctx.mode == Mode::Train;
  std::size_t debiased_step = 0;
  if (training && options_.ema_debias) {
    steps_.mutable_data()[0] += 1.0F;
    debiased_step = static_cast<std::size_t>(steps_.data()[0]);
  }
  Tensor out(weights.shape());
  float* values = out.mutable_data();
  float* basis = basis_.mutable_data();
  ctx.backend.threads().parallel_ranges(
      options_.out_channels, kFiltersPerChunk, [&](std::size_t begin, std::size_t end, std::size_t) {
        std::vector<std::uint8_t> rank(m);
        for (std::size_t o = begin; o < end; ++o) {
          const std::span<float> v(basis + o * bits, bits);
          const std::span<const float> filter(weights.data() + o * m, m);
          std::vector<double> found(v.begin(), v.end());
          ThresholdTable table = lq_table(kWeightEncoding, v);
          const std::size_t alternations = training ? options_.alternations : 0;
          if (alternations == 0) rank_filter(table, filter, rank);
          for (std::size_t t = 0; t < alternations; ++t) {
            if (t > 0) table = lq_table(kWeightEncoding, to_float(found));
            found = lq_solve(kWeightEncoding, table, rank_filter(table, filter, rank), found);
          }
          for (std::size_t i = 0; i < m; ++i) values[o * m + i] = table.levels[rank[i]];
          if (training) lq_average(v, found, debiased_step);
        }
      });
  return out;
}

WeightExport LqWeights::export_weights(const Tensor& weights) const {
  check(weights);
  const std::size_t m = options_.filter_size, bits = options_.bits, out = options_.out_channels;
  std::vector<std::uint16_t> codes(out * m);
  engine::LearnedBasis basis{std::vector<float>(bits * out)};
  for (std::size_t o = 0; o < out; ++o) {
    const std::span<const float> v(basis_.data() + o * bits, bits);
    const ThresholdTable table = lq_table(kWeightEncoding, v);
    for (std::size_t j = 0; j < bits; ++j) basis.values[j * out + o] = v[j];
    for (std::size_t i = 0; i < m; ++i) {
      codes[o * m + i] = table.code_of_rank[rank_of(table.thresholds, weights.data()[o * m + i])];
    }
  }
  return {.planes = bits,
          .out_channels = out,
          .k = m,
          .encoding = engine::PlaneEncoding::Bipolar,
          .basis = std::move(basis),
          .offset = {},
          .codes = std::move(codes)};
}

}  // namespace bitplane::train
