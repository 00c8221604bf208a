// SPDX-License-Identifier: Apache-2.0
//
// Checks a backward pass against numbers: the loss L = sum(upstream * surrogate(inputs)) is evaluated in
// double by a surrogate that shares no code with the operation, differentiated by central differences, and
// compared with what the operation's backward gives (float32). The surrogate is the function whose gradient
// the method declares: the operation itself where it is differentiable, e.g. a clamp for a clipped
// straight-through.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "trainer/autograd/variable.h"

namespace bitplane::train {

using DoubleValues = std::vector<double>;
/// All inputs (in order, row-major) -> all outputs.
using Surrogate = std::function<DoubleValues(const std::vector<DoubleValues>& inputs)>;
using CheckedOperation = std::function<Variable(const std::vector<Variable>& inputs)>;

struct GradcheckOptions {
  double step = 1e-5;       ///< of the central difference
  double tolerance = 1e-5;  ///< relative to max(1, |numeric|, largest |numeric| of that input)
  std::uint64_t seed = 1;   ///< of the upstream gradient
};

struct GradcheckReport {
  bool ok = true;
  std::size_t input = 0, index = 0;  ///< the worst element
  double analytic = 0, numeric = 0, error = 0;
  [[nodiscard]] std::string str() const;
};

/// `inputs` that require no gradient are held fixed.
GradcheckReport gradcheck(const Context& ctx, const CheckedOperation& operation, const Surrogate& surrogate,
                          const std::vector<Variable>& inputs, const GradcheckOptions& options = {});

}  // namespace bitplane::train
