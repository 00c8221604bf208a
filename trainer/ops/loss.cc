// SPDX-License-Identifier: Apache-2.0
#include "trainer/ops/loss.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <string_view>
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

void check_smoothing(double smoothing) {
  if (smoothing >= 0.0 && smoothing < 1.0) return;
  throw std::invalid_argument("label smoothing " + std::to_string(smoothing) +
                              ": it is at least 0 and below 1");
}

/// A loss as it is put together: its terms add value and gradient.
struct LossTerms {
  explicit LossTerms(const Shape& logits) : gradient(logits.size(), 0.0) {}
  double value = 0;
  RecycledVector<double> gradient;  ///< [n][classes]
};

struct CrossEntropyTerm {
  std::span<const std::uint16_t> labels;
  double smoothing, weight;
};

void add_cross_entropy(const Tensor& logits, const CrossEntropyTerm& term, LossTerms& loss) {
  const std::size_t rows = logits.shape()[0], classes = logits.shape()[1];
  const auto count = static_cast<double>(rows);
  const double shared = term.smoothing / static_cast<double>(classes);
  const double own = 1.0 - term.smoothing + shared;
  double sum_of_rows = 0;
  RecycledVector<double> e(classes);
  for (std::size_t r = 0; r < rows; ++r) {
    const float* z = logits.data() + r * classes;
    const std::size_t label = term.labels[r];
    const auto largest = static_cast<double>(*std::max_element(z, z + classes));
    double sum = 0;
    for (std::size_t k = 0; k < classes; ++k) sum += e[k] = math::exp(static_cast<double>(z[k]) - largest);
    double expected = 0;  // sum of target * (logit - largest)
    for (std::size_t k = 0; k < classes; ++k) {
      const double target = k == label ? own : shared;
      if (target != 0.0) expected += target * (static_cast<double>(z[k]) - largest);
      loss.gradient[r * classes + k] += term.weight * ((e[k] / sum - target) / count);
    }
    sum_of_rows += math::log(sum) - expected;
  }
  loss.value += term.weight * (sum_of_rows / count);
}

void add_squared_error(const Tensor& logits, const Tensor& targets, double weight, LossTerms& loss) {
  const auto count = static_cast<double>(logits.size());
  double sum = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const double distance = static_cast<double>(logits.data()[i]) - static_cast<double>(targets.data()[i]);
    sum += distance * distance;
    loss.gradient[i] += weight * (2.0 * distance / count);
  }
  loss.value += weight * (sum / count);
}

Variable record_loss(const Context& ctx, std::string_view name, const Variable& logits,
                     const LossTerms& loss) {
  Tensor gradient(logits.shape());
  std::transform(loss.gradient.begin(), loss.gradient.end(), gradient.mutable_data(),
                 [](double v) { return static_cast<float>(v); });
  return record(ctx, name, Tensor::filled({1}, static_cast<float>(loss.value)), {logits},
                [gradient = std::move(gradient)](const Tensor& dy) -> Gradients {
                  Tensor dz = gradient.clone();
                  for (float& v : dz.mutable_values()) v *= dy.data()[0];
                  return {dz};
                });
}

}  // namespace

Variable softmax_cross_entropy(const Context& ctx, const Variable& logits,
                               std::span<const std::uint16_t> labels, const CrossEntropyOptions& options) {
  const OpTimer timer(ctx, "softmax_cross_entropy");
  check_labels(logits.shape(), labels);
  check_smoothing(options.label_smoothing);
  LossTerms loss(logits.shape());
  add_cross_entropy(logits.value(), {labels, options.label_smoothing, 1.0}, loss);
  return record_loss(ctx, "softmax_cross_entropy", logits, loss);
}

Variable mean_squared_error(const Context& ctx, const Variable& logits, const Tensor& targets) {
  const OpTimer timer(ctx, "mean_squared_error");
  expect_shape(targets.shape(), logits.shape(), "targets of the mean squared error");
  LossTerms loss(logits.shape());
  add_squared_error(logits.value(), targets, 1.0, loss);
  return record_loss(ctx, "mean_squared_error", logits, loss);
}

Variable distillation_loss(const Context& ctx, const Variable& logits, std::span<const std::uint16_t> labels,
                           const DistillationOptions& options) {
  const OpTimer timer(ctx, "distillation_loss");
  check_labels(logits.shape(), labels);
  check_smoothing(options.label_smoothing);
  expect_shape(options.teacher.shape(), logits.shape(), "the teacher's logits");
  if (!(options.lambda >= 0.0 && options.lambda <= 1.0)) {
    throw std::invalid_argument("distillation with lambda " + std::to_string(options.lambda) +
                                ": it goes from 0 to 1");
  }
  LossTerms loss(logits.shape());
  add_cross_entropy(logits.value(), {labels, options.label_smoothing, 1.0 - options.lambda}, loss);
  add_squared_error(logits.value(), options.teacher, options.lambda, loss);
  return record_loss(ctx, "distillation_loss", logits, loss);
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
