// SPDX-License-Identifier: Apache-2.0
//
// A step of an optimizer that leaves the elements alone which Parameter::frozen marks.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

#include "trainer/tensor/tensor.h"

namespace bitplane::train {

/// What an optimizer moves: the weights, and the state that it keeps of each.
struct Moving {
  float* weight;
  std::array<float*, 2> state = {};  ///< nullptr: none
};

/// step(begin, end) for all of [begin, end). Frozen elements keep their weight to the bit, whatever the step
/// did (decay included), and their state is 0.
template <class Step>
void step_around_frozen(const Tensor& frozen, std::size_t begin, std::size_t end, const Moving& moving,
                        const Step& step) {
  if (!frozen.defined()) return step(begin, end);
  constexpr std::size_t kChunk = 256;
  std::array<float, kChunk> before;
  for (std::size_t first = begin; first < end; first += kChunk) {
    const std::size_t last = std::min(end, first + kChunk);
    std::copy(moving.weight + first, moving.weight + last, before.begin());
    step(first, last);
    for (std::size_t i = first; i < last; ++i) {
      if (frozen.data()[i] == 0.0F) continue;
      moving.weight[i] = before[i - first];
      for (float* state : moving.state) {
        if (state != nullptr) state[i] = 0.0F;
      }
    }
  }
}

}  // namespace bitplane::train
