// SPDX-License-Identifier: Apache-2.0
#include "lut/filter_window.h"

#include <algorithm>
#include <cstddef>

namespace bitplane::kernels {

void write_filter_window(const std::uint64_t* row, const ConvShape& shape, const ActivationLayout& input,
                         std::span<std::uint64_t> window) noexcept {
  const std::size_t channels = input.group_channels(), k = shape.filter_size();
  std::fill(window.begin(), window.end(), std::uint64_t{0});
  if (channels == input.pixel_bits()) {
    std::copy(row, row + words_for_bits(k), window.begin());
    return;
  }
  std::size_t from = 0;
  for (std::size_t tap = 0; tap < shape.taps(); ++tap) {
    std::size_t to = tap * input.pixel_bits();
    for (std::size_t c = 0; c < channels; ++c, ++from, ++to)
      window[to / 64] |= (row[from / 64] >> (from % 64) & 1U) << (to % 64);
  }
}

}  // namespace bitplane::kernels
