// SPDX-License-Identifier: Apache-2.0
//
// The limits of the format (docs/MODEL_FORMAT.md), wide enough for every net and small enough that no product
// of two of them overflows 64 bits.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bitplane::engine {

inline constexpr std::size_t kMaxDimension = std::size_t{1}
                                             << 20;  ///< height, width, channels, kernel, stride, ...
inline constexpr std::size_t kMaxElements = std::size_t{1}
                                            << 28;  ///< of one tensor of activations, per picture
inline constexpr std::size_t kMaxNodes = std::size_t{1} << 16;
inline constexpr std::size_t kMaxNameBytes = 256;
inline constexpr std::size_t kMaxActivationBits = 8;
inline constexpr std::size_t kMaxWeightPlanes = 16;
inline constexpr std::size_t kMaxPictureWeightPlanes = 8;  ///< of weights on the picture's bytes
inline constexpr std::size_t kMaxCodebookLevels = 256;
inline constexpr std::size_t kMaxAccumulator = 0x7FFFFFFF;  ///< of every integer sum of a convolution

inline constexpr std::size_t kMaxFileBytes = std::size_t{1} << 32;  ///< read_model()

/// 64-bit words of one row of planes.
[[nodiscard]] constexpr std::size_t words_of(std::size_t k) noexcept {
  return k / 64 + (k % 64 != 0 ? 1 : 0);
}

}  // namespace bitplane::engine
