// SPDX-License-Identifier: Apache-2.0
//
// The engine against itself: what every instruction set and number of threads must give alike.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "bitplane/engine.h"

namespace bitplane::cli {

struct VariantCheck {
  std::string variant;                  ///< "avx2", "scalar, 3 threads"
  std::size_t pictures = 0, equal = 0;  ///< equal: logits and all codes, bit for bit
  std::string first_difference;         ///< empty when all are equal

  [[nodiscard]] bool passed() const noexcept { return equal == pictures; }
};

/// Names of the instruction sets that may run here, weakest first: "scalar", ...
[[nodiscard]] std::vector<std::string> present_isas();

/// The instruction set of `asked`, or each that is here, with its kernels and on 1 thread and several (as
/// many as asked for, else 3), against scalar on one thread with the kernels that are taken unasked, on drawn
/// pictures.
std::vector<VariantCheck> check_variants(const engine::Model& model, const engine::SessionOptions& asked);

}  // namespace bitplane::cli
