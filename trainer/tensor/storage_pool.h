// SPDX-License-Identifier: Apache-2.0
//
// A cache of freed tensor storage. A training step asks for the same sizes again and again: a block that was
// freed is handed out again without a system call, a page fault or zeroing. Any thread may allocate and free.
#pragma once

#include <cstddef>
#include <memory>

namespace bitplane::train {

class StoragePool {
 public:
  /// The process's pool.
  static StoragePool& instance();

  /// `floats` elements, 64-byte aligned, not initialized. Throws std::bad_alloc.
  std::shared_ptr<float[]> allocate(std::size_t floats);
  /// Gives every cached block back to the system.
  void trim() noexcept;

  struct Counters {
    std::size_t cached_bytes = 0;     ///< free, ready to be handed out
    std::size_t system_requests = 0;  ///< blocks that had to come from the system
  };
  [[nodiscard]] Counters counters() const noexcept;

  StoragePool();
  ~StoragePool();
  StoragePool(const StoragePool&) = delete;
  StoragePool& operator=(const StoragePool&) = delete;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace bitplane::train
