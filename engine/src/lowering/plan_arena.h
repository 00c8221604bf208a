// SPDX-License-Identifier: Apache-2.0
//
// One block of memory for all values of a session. Two values may share bytes when no step needs both.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "lowering/program.h"

namespace bitplane::engine {

inline constexpr std::size_t kArenaAlignment = 64;

/// A value's life, in steps, both ends included.
struct Lifetime {
  std::size_t bytes = 0, first = 0, last = 0;
};

struct ArenaPlan {
  std::vector<std::size_t> offsets;  ///< one per lifetime, multiples of kArenaAlignment
  std::size_t bytes = 0;
};

[[nodiscard]] std::size_t value_bytes(const Value& value, std::size_t batch) noexcept;
/// The lives of a program's values. The output lives past the last step; the input is written before the
/// first.
[[nodiscard]] std::vector<Lifetime> lifetimes(const Program& program, std::size_t batch);
/// Largest first, each at the lowest offset where nothing that lives at the same time lies.
[[nodiscard]] ArenaPlan plan_arena(std::span<const Lifetime> lifetimes);

}  // namespace bitplane::engine
