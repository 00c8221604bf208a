// SPDX-License-Identifier: Apache-2.0
//
// Local response normalization (Krizhevsky, Sutskever, Hinton 2012; Caffe's LRN layer):
//
//   s = k + alpha / n * (sum of x^2 over the window),  y = x * s^-beta
//
//   AcrossChannels   the window is `size` channels of one pixel, n = size
//   WithinChannel    the window is size x size pixels of one channel, n = size^2
//
// A window is centred on its element; what lies outside the tensor counts as 0, and n stays. Every sum runs
// in ascending order in double, s^-beta is computed in double (beta = 0.75 by square roots, which are exact
// operations; any other by math::power), and y is rounded once.
#pragma once

#include <cstddef>
#include <cstdint>

#include "trainer/autograd/variable.h"

namespace bitplane::train {

enum class ResponseWindow : std::uint8_t { AcrossChannels, WithinChannel };

struct ResponseNormOptions {
  std::size_t size = 5;  ///< odd
  double alpha = 1e-4, beta = 0.75, k = 1.0;
  ResponseWindow window = ResponseWindow::AcrossChannels;
};

/// x [n][h][w][c]. Throws std::invalid_argument for an even size or k <= 0.
Variable local_response_norm(const Context& ctx, const Variable& x, const ResponseNormOptions& options);

}  // namespace bitplane::train
