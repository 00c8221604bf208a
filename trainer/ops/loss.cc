// SPDX-License-Identifier: Apache-2.0
#include "trainer/ops/loss.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "trainer/autograd/profile.h"
#include "trainer/math/transcendental.h"

namespace bitplane::train {
namespace {

void check_labels(const Shape& logits, std::span<const std::uint16_t> labels) {
  if (logits.rank() != 2 || logits[0] != labels.size()) {
    throw std::invalid_argument("logits of shape " + logits.str() + " with " + std::to_string(labels.size()) +
                                " labels");
  }
  for (const std::uint16_t label : labels) {
    if (label >= logits[1]) {
      throw std::invalid_argument("label " + std::to_string(label) + " with logits of shape " + logits.str());
    }
  }
}

}  // namespace

Variable softmax_cross_entropy(const Context& ctx, const Variable& logits,
                               std::span<const std::uint16_t> labels, const CrossEntropyOptions& options) {
  const OpTimer timer(ctx, "softmax_cross_entropy");
  const Shape& shape = logits.shape();
  check_labels(shape, labels);
  const std::size_t rows = shape[0], classes = shape[1];
  const auto count = static_cast<double>(rows);
  const double shared = options.label_smoothing / static_cast<double>(classes);
  const double own = 1.0 - options.label_smoothing + shared;
  Tensor gradient(shape);  // (softmax - one-hot) / rows
  double loss = 0;
  std::vector<double> e(classes);
  for (std::size_t r = 0; r < rows; ++r) {
    const float* z = logits.value().data() + r * classes;
    const auto largest = static_cast<double>(*std::max_element(z, z + classes));
    double sum = 0;
    for (std::size_t k = 0; k < classes; ++k) sum += e[k] = math::exp(static_cast<double>(z[k]) - largest);
    double expected = 0;  // sum of target * (logit - largest)
    for (std::size_t k = 0; k < classes; ++k) {
      const double target = k == labels[r] ? own : shared;
      if (target != 0.0) expected += target * (static_cast<double>(z[k]) - largest);
      gradient.mutable_data()[r * classes + k] = static_cast<float>((e[k] / sum - target) / count);
    }
    loss += math::log(sum) - expected;
  }
  return record(ctx, "softmax_cross_entropy", Tensor::filled({1}, static_cast<float>(loss / count)), {logits},
                [gradient](const Tensor& dy) -> std::vector<Tensor> {
                  Tensor dz = gradient.clone();
                  for (float& v : dz.mutable_values()) v *= dy.data()[0];
                  return {dz};
                });
}

std::size_t count_correct(const Tensor& logits, std::span<const std::uint16_t> labels) {
  check_labels(logits.shape(), labels);
  const std::size_t classes = logits.shape()[1];
  std::size_t correct = 0;
  for (std::size_t r = 0; r < labels.size(); ++r) {
    const float* z = logits.data() + r * classes;
    correct += static_cast<std::size_t>(std::max_element(z, z + classes) - z) == labels[r] ? 1 : 0;
  }
  return correct;
}

}  // namespace bitplane::train
