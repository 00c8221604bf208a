// SPDX-License-Identifier: Apache-2.0
//
// Where the index of a channel lies in the 2 * bits bytes of a step. A broadcast of the step's word and one
// shift by a constant vector must bring every channel's index to the low bits of its lane, what lies above it
// being ignored by a permutation:
//
//   1 bit    bit c of 16
//   2 bits   bits 2c of 32
//   4 bits   of the even channels in the first 32-bit word, of the odd ones in the second: channel c at bits
//            4 * (c / 2). Lanes of a broadcast pair of words alternate like that.
//   8 bits   byte c
//
// Words are little-endian bytes. Included by per-ISA files: nothing here may be shared.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bitplane::kernels {
namespace {

struct IndexPlace {
  std::size_t byte;
  unsigned shift;
};

constexpr IndexPlace place_of_index(std::size_t bits, std::size_t channel) {
  if (bits == 4) return {channel % 2 * 4 + channel / 4, static_cast<unsigned>(channel / 2 % 2 * 4)};
  return {channel * bits / 8, static_cast<unsigned>(channel * bits % 8)};
}

}  // namespace
}  // namespace bitplane::kernels
