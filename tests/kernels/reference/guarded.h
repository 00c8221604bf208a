// SPDX-License-Identifier: Apache-2.0
//
// Memory between unreadable pages: an access beyond it ends the test, whichever instruction made it and
// whatever a sanitizer knows of that instruction.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

namespace bitplane::kernels::reference {

/// `size` elements between two unreadable pages, as close to the one behind them as `alignment` bytes allow.
template <class T>
class Guarded {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  Guarded() = default;
  explicit Guarded(std::size_t size, std::size_t alignment = alignof(T)) : size_(size) {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const std::size_t bytes = (size * sizeof(T) + alignment - 1) / alignment * alignment;
    const std::size_t inner = (bytes + page - 1) / page * page;
    mapped_ = inner + 2 * page;
    void* start = ::mmap(nullptr, mapped_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED) throw std::bad_alloc();
    start_ = static_cast<std::byte*>(start);
    if (inner != 0 && ::mprotect(start_ + page, inner, PROT_READ | PROT_WRITE) != 0) throw std::bad_alloc();
    data_ = reinterpret_cast<T*>(start_ + page + inner - bytes);
  }
  explicit Guarded(std::span<const T> values, std::size_t alignment = alignof(T))
      : Guarded(values.size(), alignment) {
    if (!values.empty()) std::memcpy(data_, values.data(), values.size_bytes());
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  Guarded(Guarded&& other) noexcept { swap(other); }
  Guarded& operator=(Guarded&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Guarded() {
    if (start_ != nullptr) ::munmap(start_, mapped_);
  }

  [[nodiscard]] T* data() noexcept { return data_; }
  [[nodiscard]] const T* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] T* begin() noexcept { return data_; }
  [[nodiscard]] T* end() noexcept { return data_ + size_; }

  void fill_bytes(int byte) noexcept {
    if (size_ != 0) std::memset(static_cast<void*>(data_), byte, size_ * sizeof(T));
  }

 private:
  void swap(Guarded& other) noexcept {
    std::swap(start_, other.start_);
    std::swap(mapped_, other.mapped_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }

  std::byte* start_ = nullptr;
  std::size_t mapped_ = 0;
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Buffers that a kernel may ask to be aligned (packed planes, scratch) end less than this before the page.
inline constexpr std::size_t kGuardedAlignment = 64;

}  // namespace bitplane::kernels::reference
