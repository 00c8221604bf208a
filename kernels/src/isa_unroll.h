// SPDX-License-Identifier: Apache-2.0
//
// For per-ISA files only (anonymous namespace). Unrolling that happens before GCC decides what may live in
// registers: an array of vectors that is indexed by a loop variable stays in memory.
#pragma once

#include <cstddef>
#include <utility>

namespace bitplane::kernels {
namespace {

template <std::size_t... kI, class Body>
[[gnu::always_inline]] inline void unroll(std::index_sequence<kI...>, Body&& body) {
  (body(std::integral_constant<std::size_t, kI>{}), ...);
}
/// body(0), ..., body(kCount - 1) with compile-time arguments.
template <std::size_t kCount, class Body>
[[gnu::always_inline]] inline void unroll(Body&& body) {
  unroll(std::make_index_sequence<kCount>{}, body);
}

}  // namespace
}  // namespace bitplane::kernels
