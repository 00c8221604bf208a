// SPDX-License-Identifier: Apache-2.0
#include "trainer/autograd/gradcheck.h"

#include <algorithm>
#include <cmath>
#include <sstream>
#include <stdexcept>

#include "trainer/math/random.h"

namespace bitplane::train {
namespace {

double weighted_sum(const DoubleValues& outputs, const Tensor& upstream) {
  if (outputs.size() != upstream.size()) {
    throw std::invalid_argument("the surrogate gave " + std::to_string(outputs.size()) +
                                " values, the operation's output is " + upstream.shape().str());
  }
  double sum = 0;
  for (std::size_t i = 0; i < outputs.size(); ++i)
    sum += outputs[i] * static_cast<double>(upstream.data()[i]);
  return sum;
}

Tensor random_upstream(const Shape& shape, std::uint64_t seed) {
  Random random(seed, stream_of("gradcheck"));
  Tensor t(shape);
  for (float& v : t.mutable_values()) v = static_cast<float>(random.normal());
  return t;
}

}  // namespace

std::string GradcheckReport::str() const {
  std::ostringstream out;
  out.precision(10);
  out << (ok ? "ok" : "FAILED") << ": worst at input " << input << ", element " << index
      << ": backward gives " << analytic << ", the surrogate's slope is " << numeric << " (error " << error
      << ")";
  return out.str();
}

GradcheckReport gradcheck(const Context& ctx, const CheckedOperation& operation, const Surrogate& surrogate,
                          const std::vector<Variable>& inputs, const GradcheckOptions& options) {
  for (Variable input : inputs) input.clear_grad();
  const Variable output = operation(inputs);
  const Tensor upstream = random_upstream(output.shape(), options.seed);
  backward(ctx, output, upstream);

  std::vector<DoubleValues> point;
  for (const Variable& input : inputs) {
    const auto values = input.value().values();
    point.emplace_back(values.begin(), values.end());
  }
  GradcheckReport report;
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    if (!inputs[k].requires_grad()) continue;
    DoubleValues numeric(point[k].size());
    double largest = 1.0;
    for (std::size_t i = 0; i < numeric.size(); ++i) {
      const double centre = point[k][i];
      point[k][i] = centre + options.step;
      const double above = weighted_sum(surrogate(point), upstream);
      point[k][i] = centre - options.step;
      const double below = weighted_sum(surrogate(point), upstream);
      point[k][i] = centre;
      numeric[i] = (above - below) / (2.0 * options.step);
      largest = std::max(largest, std::abs(numeric[i]));
    }
    for (std::size_t i = 0; i < numeric.size(); ++i) {
      const double analytic = inputs[k].has_grad() ? static_cast<double>(inputs[k].grad().data()[i]) : 0.0;
      const double error = std::abs(analytic - numeric[i]) / largest;
      if (!(error <= report.error)) report = {report.ok, k, i, analytic, numeric[i], error};
      if (!(error <= options.tolerance)) report.ok = false;
    }
  }
  return report;
}

}  // namespace bitplane::train
