// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bitplane/model_spec.h"

namespace bitplane::engine {

/// The integer multiples of a uniform side: 2^i, the last one of a two's complement negative.
[[nodiscard]] std::vector<std::int32_t> plane_multiples(std::size_t planes, PlaneEncoding encoding);

[[nodiscard]] inline bool is_uniform(const Basis& basis) noexcept {
  return std::holds_alternative<UniformBasis>(basis);
}

}  // namespace bitplane::engine
