// SPDX-License-Identifier: Apache-2.0
#include "lowering/multiples.h"

namespace bitplane::engine {

std::vector<std::int32_t> plane_multiples(std::size_t planes, PlaneEncoding encoding) {
  std::vector<std::int32_t> multiples;
  for (std::size_t i = 0; i < planes; ++i) multiples.push_back(std::int32_t{1} << i);
  if (encoding == PlaneEncoding::TwosComplement) multiples.back() = -multiples.back();
  return multiples;
}

}  // namespace bitplane::engine
