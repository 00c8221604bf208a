// SPDX-License-Identifier: Apache-2.0
#include "trainer/quantizers/lq_activations.h"

#include <stdexcept>
#include <string>
#include <utility>

#include "trainer/quantizers/blocked_sums.h"
#include "trainer/quantizers/lq_basis.h"
#include "trainer/quantizers/uniform.h"
#include "trainer/tensor/row_loops.h"

namespace bitplane::train {
namespace {

constexpr auto kActivationEncoding = kernels::Encoding::Unsigned;

}  // namespace

LqActivations::LqActivations(const ActivationQuantizerOptions& options)
    : bits_(options.bits), basis_(lq_parameter({options.bits})), steps_(Tensor::zeros({1})) {
  if (options.bits < 1 || options.bits > 8) {
    throw std::invalid_argument("LQ-Nets activations take 1 to 8 bits, got " + std::to_string(options.bits));
  }
  const OptionReader read(lq_options(), options.options);
  alternations_ = read.count("alternations");
  ema_debias_ = read.is_on("ema_debias");
  descends_ = read.choice("optimize") == "bp";
  // Uniform levels from 0 to twice the third quartile of the standard normal distribution.
  const double step = 2.0 * 0.6745 / static_cast<double>((std::size_t{1} << options.bits) - 1);
  for (std::size_t j = 0; j < options.bits; ++j) {
    basis_.variable.mutable_value().mutable_data()[j] =
        static_cast<float>(step * static_cast<double>(std::size_t{1} << j));
  }
}

std::string_view LqActivations::name() const noexcept {
  return "lq-nets";
}

void LqActivations::visit_state(const std::string& prefix, const StateVisitor& visitor) {
  if (descends_) {
    visitor.parameter(prefix + "basis", basis_);
  } else {
    visitor.buffer(prefix + "basis", basis_.variable.mutable_value());
  }
  if (ema_debias_) visitor.buffer(prefix + "steps", steps_);
}

ThresholdTable LqActivations::table() const {
  const std::span<const float> basis = basis_.variable.value().values();
  std::vector<float> v(basis.begin(), basis.end());
  for (std::size_t j = 0; j < found_.size(); ++j) v[j] = static_cast<float>(found_[j]);
  ThresholdTable table = lq_table(kActivationEncoding, v);
  table.pass_above = just_below(table.levels.front());
  table.pass_up_to = table.levels.back();
  return table;
}

void LqActivations::before_batch(const Context& ctx, const Tensor& x) {
  const std::span<const float> basis = basis_.variable.value().values();
  found_.assign(basis.begin(), basis.end());
  Tensor ignored(x.shape());
  for (std::size_t t = 1; t < alternations_; ++t) {
    const ThresholdTable now = table();
    found_ = lq_solve(kActivationEncoding, now, map_rows_counted(ctx.backend, {.table = &now}, x, ignored),
                      found_);
  }
}

void LqActivations::after_batch(const RankStatistics& statistics) {
  std::size_t debiased_step = 0;
  if (ema_debias_) {
    steps_.mutable_data()[0] += 1.0F;
    debiased_step = static_cast<std::size_t>(steps_.data()[0]);
  }
  const ThresholdTable used = table();
  const std::span<float> basis = basis_.variable.mutable_value().mutable_values();
  if (found_.empty()) found_.assign(basis.begin(), basis.end());
  found_ = lq_solve(kActivationEncoding, used, statistics, found_);
  lq_average(basis, found_, debiased_step);
  found_.clear();
}

std::vector<Variable> LqActivations::trained() const {
  if (!descends_) return {};
  return {basis_.variable};
}

std::vector<Tensor> LqActivations::backward(const Context& ctx, const ThresholdTable& used, const Tensor& x,
                                            Tensor grad_output) {
  if (!descends_) return ActivationQuantizer::backward(ctx, used, x, std::move(grad_output));
  const float* dy = grad_output.data();
  const std::vector<double> by_rank =
      blocked_sums(ctx.backend, x.size(), used.levels.size(),
                   [&](std::size_t begin, std::size_t end, std::span<double> sums) {
                     for (std::size_t i = begin; i < end; ++i) {
                       sums[rank_of(used.thresholds, x.data()[i])] += static_cast<double>(dy[i]);
                     }
                   });
  Tensor grad_basis({bits_});
  for (std::size_t j = 0; j < bits_; ++j) {
    double sum = 0;
    for (std::size_t r = 0; r < by_rank.size(); ++r) {
      sum += ((used.code_of_rank[r] >> j) & 1U) != 0 ? by_rank[r] : 0.0;
    }
    grad_basis.mutable_data()[j] = static_cast<float>(sum / static_cast<double>(x.size()));
  }
  std::vector<Tensor> grads = ActivationQuantizer::backward(ctx, used, x, std::move(grad_output));
  grads.push_back(std::move(grad_basis));
  return grads;
}

std::vector<double> LqActivations::surrogate(const SurrogatePoint& point) const {
  std::vector<double> y = ActivationQuantizer::surrogate(point);
  if (!descends_) return y;
  const ThresholdTable t = table();
  for (std::size_t i = 0; i < y.size(); ++i) {
    const unsigned code = t.code_of_rank[rank_of(t.thresholds, point.at.data()[i])];
    for (std::size_t j = 0; j < bits_; ++j) {
      if (((code >> j) & 1U) != 0) y[i] += point.trained[0][j] / static_cast<double>(y.size());
    }
  }
  return y;
}

std::vector<Reading> LqActivations::readings() const {
  return numbered_readings("basis", basis_.variable.value().values());
}

engine::Quantize LqActivations::export_spec() const {
  const ThresholdTable t = table();
  const std::span<const float> basis = basis_.variable.value().values();
  return {.bits = t.bits,
          .encoding = engine::PlaneEncoding::Unsigned,
          .basis = engine::LearnedBasis{{basis.begin(), basis.end()}},
          .offset = 0.0F,
          .thresholds = t.thresholds,
          .code_of_rank = t.code_of_rank};
}

}  // namespace bitplane::train
