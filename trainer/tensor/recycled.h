// SPDX-License-Identifier: Apache-2.0
//
// Small blocks of memory that are kept when they are freed and handed out again: what a training step needs
// for its graph (nodes, lists of inputs, numbers per channel) is the same in every step. Tensors have their
// own cache (storage_pool.h). Any thread may take and give back.
#pragma once

#include <cstddef>
#include <limits>
#include <new>
#include <vector>

namespace bitplane::train {

/// Aligned as operator new aligns. Throws std::bad_alloc.
[[nodiscard]] void* take_recycled(std::size_t bytes);
void give_back_recycled(void* block, std::size_t bytes) noexcept;

/// A standard allocator on top of it.
template <class T>
struct Recycled {
  static_assert(alignof(T) <= alignof(std::max_align_t));
  using value_type = T;

  Recycled() = default;
  template <class Other>
  Recycled(const Recycled<Other>&) noexcept {}

  [[nodiscard]] T* allocate(std::size_t count) {
    if (count > std::numeric_limits<std::size_t>::max() / sizeof(T)) throw std::bad_alloc();
    return static_cast<T*>(take_recycled(count * sizeof(T)));
  }
  void deallocate(T* block, std::size_t count) noexcept { give_back_recycled(block, count * sizeof(T)); }
  friend bool operator==(const Recycled&, const Recycled&) noexcept { return true; }
};

template <class T>
using RecycledVector = std::vector<T, Recycled<T>>;

}  // namespace bitplane::train
