// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace bitplane::kernels {

/// Cuts arrays from a block of memory, each on cache lines of its own. With base = null only bytes() means
/// anything.
class ScratchCutter {
 public:
  explicit ScratchCutter(std::byte* base) : base_(base) {}
  template <class T>
  void take(T*& array, std::size_t count) noexcept {
    array = base_ == nullptr ? nullptr : reinterpret_cast<T*>(base_ + bytes_);
    bytes_ += (count * sizeof(T) + 63) / 64 * 64;
  }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

 private:
  std::byte* base_;
  std::size_t bytes_ = 0;
};

}  // namespace bitplane::kernels
