// SPDX-License-Identifier: Apache-2.0
#include "trainer/optim/gradients.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "trainer/tensor/row_loops.h"

namespace bitplane::train {
namespace {

/// Elements of one partial sum. Part of the contract: changing it changes the bits of clipped training.
constexpr std::size_t kNormBlock = 4096;
constexpr std::size_t kChains = 8;

double sum_of_squares(std::span<const float> values) noexcept {
  std::array<double, kChains> chains{};
  std::size_t i = 0;
  for (; i + kChains <= values.size(); i += kChains) {
    for (std::size_t k = 0; k < kChains; ++k) {
      const auto value = static_cast<double>(values[i + k]);
      chains[k] += value * value;
    }
  }
  for (std::size_t k = 0; i < values.size(); ++i, ++k) {
    const auto value = static_cast<double>(values[i]);
    chains[k] += value * value;
  }
  double sum = 0.0;
  for (const double chain : chains) sum += chain;
  return sum;
}

double sum_of_squares(Backend& backend, const Tensor& tensor) {
  const std::size_t blocks = (tensor.size() + kNormBlock - 1) / kNormBlock;
  std::vector<double> partial(blocks);
  backend.threads().parallel_for(blocks, [&](std::size_t block, std::size_t) {
    const std::size_t begin = block * kNormBlock;
    partial[block] =
        sum_of_squares(tensor.values().subspan(begin, std::min(kNormBlock, tensor.size() - begin)));
  });
  double sum = 0.0;
  for (const double part : partial) sum += part;
  return sum;
}

}  // namespace

GradientSummary summarize_gradients(Backend& backend, std::span<const NamedParameter> parameters) {
  GradientSummary summary;
  double sum = 0.0;
  for (const NamedParameter& p : parameters) {
    if (!p.parameter->variable.has_grad()) continue;
    // A float's square cannot overflow a double, so only a bad number makes the sum one.
    const double part = sum_of_squares(backend, p.parameter->variable.grad());
    if (!std::isfinite(part)) summary.not_finite = p.name;
    sum += part;
  }
  summary.norm = std::sqrt(sum);
  return summary;
}

void clip_gradients(Backend& backend, std::span<const NamedParameter> parameters,
                    const GradientSummary& summary, double limit) {
  if (summary.norm <= limit) return;
  const auto factor = static_cast<float>(limit / summary.norm);
  for (const NamedParameter& p : parameters) {
    if (!p.parameter->variable.has_grad()) continue;
    Tensor& gradient = p.parameter->variable.mutable_grad();
    float* values = gradient.mutable_data();
    backend.threads().parallel_ranges(gradient.size(), kFlatGrain,
                                      [&](std::size_t begin, std::size_t end, std::size_t) {
                                        for (std::size_t i = begin; i < end; ++i) values[i] *= factor;
                                      });
  }
}

}  // namespace bitplane::train
