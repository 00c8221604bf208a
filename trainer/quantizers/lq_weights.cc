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
    : options_(options),
      basis_(lq_parameter({options.out_channels, options.bits})),
      steps_(Tensor::zeros({1})) {
  if (options.bits < 1 || options.bits > 8) {
    throw std::invalid_argument("LQ-Nets weights take 1 to 8 bits, got " + std::to_string(options.bits));
  }
  const OptionReader read(lq_options(), options.options);
  alternations_ = read.count("alternations");
  ema_debias_ = read.is_on("ema_debias");
  descends_ = read.choice("optimize") == "bp";
  // Uniform levels whose step is the third quartile of N(0, sqrt(2 / fan-out)).
  const auto fan_out = static_cast<double>(options.kernel_area * options.out_channels);
  const double top =
      0.6745 * std::sqrt(2.0 / fan_out) / static_cast<double>(std::size_t{1} << (options.bits - 1));
  Tensor& basis = basis_.variable.mutable_value();
  for (std::size_t i = 0; i < basis.size(); ++i) {
    basis.mutable_data()[i] =
        static_cast<float>(top * static_cast<double>(std::size_t{1} << (i % options.bits)));
  }
}

std::string_view LqWeights::name() const noexcept {
  return "lq-nets";
}

void LqWeights::visit_state(const std::string& prefix, const StateVisitor& visitor) {
  if (descends_) {
    visitor.parameter(prefix + "basis", basis_);
  } else {
    visitor.buffer(prefix + "basis", basis_.variable.mutable_value());
  }
  if (ema_debias_) visitor.buffer(prefix + "steps", steps_);
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
  const bool training = ctx.mode == Mode::Train && !descends_;
  std::size_t debiased_step = 0;
  if (training && ema_debias_) {
    steps_.mutable_data()[0] += 1.0F;
    debiased_step = static_cast<std::size_t>(steps_.data()[0]);
  }
  Tensor out(weights.shape());
  float* values = out.mutable_data();
  float* basis = basis_.variable.mutable_value().mutable_data();
  ctx.backend.threads().parallel_ranges(
      options_.out_channels, kFiltersPerChunk, [&](std::size_t begin, std::size_t end, std::size_t) {
        std::vector<std::uint8_t> rank(m);
        for (std::size_t o = begin; o < end; ++o) {
          const std::span<float> v(basis + o * bits, bits);
          const std::span<const float> filter(weights.data() + o * m, m);
          std::vector<double> found(v.begin(), v.end());
          ThresholdTable table = lq_table(kWeightEncoding, v);
          const std::size_t alternations = training ? alternations_ : 0;
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

std::vector<Reading> LqWeights::readings() const {
  std::vector<double> sums(options_.bits, 0.0);
  const std::span<const float> basis = basis_.variable.value().values();
  for (std::size_t i = 0; i < basis.size(); ++i) sums[i % options_.bits] += static_cast<double>(basis[i]);
  std::vector<float> means;
  for (const double sum : sums) {
    means.push_back(static_cast<float>(sum / static_cast<double>(options_.out_channels)));
  }
  return numbered_readings("basis", means);
}

std::vector<Variable> LqWeights::trained() const {
  if (!descends_) return {};
  return {basis_.variable};
}

std::vector<Tensor> LqWeights::backward(const Context&, const Tensor& weights, Tensor grad_output) {
  if (!descends_) return {std::move(grad_output)};
  const std::size_t m = options_.filter_size, bits = options_.bits;
  const WeightExport used = export_weights(weights);
  Tensor grad_basis({options_.out_channels, bits});
  for (std::size_t o = 0; o < options_.out_channels; ++o) {
    for (std::size_t j = 0; j < bits; ++j) {
      double sum = 0;
      for (std::size_t i = o * m; i < (o + 1) * m; ++i) {
        const auto g = static_cast<double>(grad_output.data()[i]);
        sum += ((used.codes[i] >> j) & 1U) != 0 ? g : -g;
      }
      grad_basis.mutable_data()[o * bits + j] = static_cast<float>(sum);
    }
  }
  return {std::move(grad_output), std::move(grad_basis)};
}

std::vector<double> LqWeights::surrogate(const SurrogatePoint& point) const {
  std::vector<double> y(point.x.begin(), point.x.end());
  if (!descends_) return y;
  const WeightExport used = export_weights(point.at);
  const std::vector<double>& v = point.trained[0];
  for (std::size_t i = 0; i < y.size(); ++i) {
    for (std::size_t j = 0; j < options_.bits; ++j) {
      const double v_j = v[i / options_.filter_size * options_.bits + j];
      y[i] += ((used.codes[i] >> j) & 1U) != 0 ? v_j : -v_j;
    }
  }
  return y;
}

WeightExport LqWeights::export_weights(const Tensor& weights) const {
  check(weights);
  const std::size_t m = options_.filter_size, bits = options_.bits, out = options_.out_channels;
  std::vector<std::uint16_t> codes(out * m);
  engine::LearnedBasis basis{std::vector<float>(bits * out)};
  for (std::size_t o = 0; o < out; ++o) {
    const std::span<const float> v(basis_.variable.value().data() + o * bits, bits);
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
