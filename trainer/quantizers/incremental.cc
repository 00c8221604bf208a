// SPDX-License-Identifier: Apache-2.0
#include "trainer/quantizers/incremental.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "trainer/quantizers/clustering/k_means.h"

namespace bitplane::train {

IncrementalWeights::IncrementalWeights(const WeightQuantizerOptions& layer, std::size_t levels)
    : layer_(layer),
      levels_(Tensor::zeros({levels})),
      frozen_(Tensor::zeros({layer.out_channels, layer.filter_size})) {}

void IncrementalWeights::visit_state(const std::string& prefix, const StateVisitor& visitor) {
  visitor.buffer(prefix + "levels", levels_);
  visitor.buffer(prefix + "frozen", frozen_);
  visitor.buffer(prefix + "parts", parts_);
}

double IncrementalWeights::frozen_share() const noexcept {
  double sum = 0;
  for (const float mark : frozen_.values()) sum += static_cast<double>(mark);
  return sum / static_cast<double>(frozen_.size());
}

Tensor IncrementalWeights::forward(const Context&, const Tensor& weights) {
  check(weights);
  return weights.clone();
}

std::vector<Tensor> IncrementalWeights::backward(const Context&, const Tensor&, Tensor grad_output) {
  Tensor grad = grad_output.unique() ? std::move(grad_output) : grad_output.clone();
  for (std::size_t i = 0; i < grad.size(); ++i) {
    if (frozen_.data()[i] != 0.0F) grad.mutable_data()[i] = 0.0F;
  }
  return {std::move(grad)};
}

std::vector<double> IncrementalWeights::surrogate(const SurrogatePoint& point) const {
  std::vector<double> y(point.x.begin(), point.x.end());
  for (std::size_t i = 0; i < y.size(); ++i) {
    if (frozen_.data()[i] != 0.0F) y[i] = static_cast<double>(point.at.data()[i]);
  }
  return y;
}

std::size_t IncrementalWeights::parts_done() const noexcept {
  return static_cast<std::size_t>(parts_.data()[0]);
}

void IncrementalWeights::preview(Backend& backend, Tensor& weights) const {
  const std::vector<std::uint8_t> level = next_levels(backend, weights.values());
  for (std::size_t i = 0; i < level.size(); ++i) {
    if (level[i] != kStaysFloat) weights.mutable_data()[i] = levels_.data()[level[i]];
  }
}

void IncrementalWeights::freeze(Backend& backend, Tensor& weights) {
  check(weights);
  const std::vector<std::uint8_t> level = next_levels(backend, weights.values());
  for (std::size_t i = 0; i < level.size(); ++i) {
    if (level[i] == kStaysFloat) continue;
    weights.mutable_data()[i] = levels_.data()[level[i]];
    frozen_.mutable_data()[i] = 1.0F;
  }
  parts_.mutable_data()[0] += 1.0F;
}

std::vector<std::uint8_t> IncrementalWeights::indices(const Tensor& weights) const {
  check(weights);
  if (keeps_floats()) {
    throw std::invalid_argument("'" + std::string(name()) + "' has quantized " +
                                std::to_string(parts_done()) + " of the " + std::to_string(parts()) +
                                " parts of these weights; the others are float");
  }
  std::vector<std::uint8_t> index(weights.size());
  for (std::size_t i = 0; i < index.size(); ++i) {
    index[i] = static_cast<std::uint8_t>(nearest_centre(levels(), weights.data()[i]));
    if (levels()[index[i]] == weights.data()[i]) continue;
    throw std::invalid_argument("'" + std::string(name()) + "': weight " + std::to_string(i) + " is " +
                                std::to_string(weights.data()[i]) + ", which is none of its levels");
  }
  return index;
}

WeightExport IncrementalWeights::export_weights(const Tensor& weights) const {
  const std::vector<std::uint8_t> index = indices(weights);
  const std::size_t planes = levels().size() - 1, out = layer_.out_channels;
  engine::LearnedBasis basis{std::vector<float>(planes * out)};
  for (std::size_t j = 0; j < planes; ++j)
    std::fill_n(basis.values.begin() + static_cast<std::ptrdiff_t>(j * out), out, levels()[j + 1]);
  std::vector<std::uint16_t> codes(index.size());
  for (std::size_t i = 0; i < codes.size(); ++i) {
    codes[i] = index[i] == 0 ? std::uint16_t{0} : static_cast<std::uint16_t>(1U << (index[i] - 1U));
  }
  return {.planes = planes,
          .out_channels = out,
          .k = layer_.filter_size,
          .encoding = engine::PlaneEncoding::Unsigned,
          .basis = std::move(basis),
          .offset = {},
          .codes = std::move(codes)};
}

WeightExport IncrementalWeights::export_powers(const Tensor& weights, float unit,
                                               std::size_t exponents) const {
  static_cast<void>(indices(weights));
  const std::size_t planes = exponents + 1;
  const auto mask = static_cast<unsigned>((std::size_t{1} << planes) - 1);
  std::vector<std::uint16_t> codes(weights.size(), 0);
  for (std::size_t i = 0; i < codes.size() && unit > 0.0F; ++i) {
    const auto whole = static_cast<int>(weights.data()[i] / unit);  // a power of two or 0: exact
    codes[i] = static_cast<std::uint16_t>(static_cast<unsigned>(whole) & mask);
  }
  return {.planes = planes,
          .out_channels = layer_.out_channels,
          .k = layer_.filter_size,
          .encoding = engine::PlaneEncoding::TwosComplement,
          .basis = engine::UniformBasis{{unit > 0.0F ? unit : 1.0F}},
          .offset = {},
          .codes = std::move(codes)};
}

std::optional<CodebookExport> IncrementalWeights::export_codebook(const Tensor& weights) const {
  return CodebookExport{.out_channels = layer_.out_channels,
                        .k = layer_.filter_size,
                        .scope = engine::CodebookScope::Layer,
                        .levels = {levels().begin(), levels().end()},
                        .indices = indices(weights)};
}

void IncrementalWeights::check(const Tensor& weights) const {
  if (weights.shape().front() == layer_.out_channels && weights.size() == frozen_.size()) return;
  throw std::invalid_argument(
      "quantizer '" + std::string(name()) + "' for " + std::to_string(layer_.out_channels) + " filters of " +
      std::to_string(layer_.filter_size) + " elements got weights " + weights.shape().str());
}

}  // namespace bitplane::train
