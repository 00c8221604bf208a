// SPDX-License-Identifier: Apache-2.0
#include "trainer/quantizers/lq_activations.h"

#include <stdexcept>
#include <string>

#include "trainer/quantizers/lq_basis.h"
#include "trainer/tensor/row_loops.h"

namespace bitplane::train {
namespace {

constexpr auto kActivationEncoding = kernels::Encoding::Unsigned;

}  // namespace

LqActivations::LqActivations(const ActivationQuantizerOptions& options)
    : options_(options), basis_({options.bits}), steps_(Tensor::zeros({1})) {
  if (options.bits < 1 || options.bits > 8) {
    throw std::invalid_argument("LQ-Nets activations take 1 to 8 bits, got " + std::to_string(options.bits));
  }
  // Uniform levels from 0 to twice the third quartile of the standard normal distribution.
  const double step = 2.0 * 0.6745 / static_cast<double>((std::size_t{1} << options.bits) - 1);
  for (std::size_t j = 0; j < options.bits; ++j) {
    basis_.mutable_data()[j] = static_cast<float>(step * static_cast<double>(std::size_t{1} << j));
  }
}

std::string_view LqActivations::name() const noexcept {
  return "lq-nets";
}

void LqActivations::visit_state(const std::string& prefix, const StateVisitor& visitor) {
  visitor.buffer(prefix + "basis", basis_);
  if (options_.ema_debias) visitor.buffer(prefix + "steps", steps_);
}

ThresholdTable LqActivations::table() const {
  std::vector<float> v(basis_.values().begin(), basis_.values().end());
  for (std::size_t j = 0; j < found_.size(); ++j) v[j] = static_cast<float>(found_[j]);
  ThresholdTable table = lq_table(kActivationEncoding, v);
  table.pass_up_to = table.levels.back();
  return table;
}

void LqActivations::before_batch(const Context& ctx, const Tensor& x) {
  found_.assign(basis_.values().begin(), basis_.values().end());
  Tensor ignored(x.shape());
  for (std::size_t t = 1; t < options_.alternations; ++t) {
    const ThresholdTable now = table();
    found_ = lq_solve(kActivationEncoding, now, map_rows_counted(ctx.backend, {.table = &now}, x, ignored),
                      found_);
  }
}

void LqActivations::after_batch(const RankStatistics& statistics) {
  std::size_t debiased_step = 0;
  if (options_.ema_debias) {
    steps_.mutable_data()[0] += 1.0F;
    debiased_step = static_cast<std::size_t>(steps_.data()[0]);
  }
  const ThresholdTable used = table();
  if (found_.empty()) found_.assign(basis_.values().begin(), basis_.values().end());
  found_ = lq_solve(kActivationEncoding, used, statistics, found_);
  lq_average(basis_.mutable_values(), found_, debiased_step);
  found_.clear();
}

engine::Quantize LqActivations::export_spec() const {
  const ThresholdTable t = table();
  return {.bits = t.bits,
          .encoding = engine::PlaneEncoding::Unsigned,
          .basis = engine::LearnedBasis{{basis_.values().begin(), basis_.values().end()}},
          .offset = 0.0F,
          .thresholds = t.thresholds,
          .code_of_rank = t.code_of_rank};
}

}  // namespace bitplane::train
