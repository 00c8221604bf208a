// SPDX-License-Identifier: Apache-2.0
//
// Packed weights live in arrays that kernels allocate themselves. In this binary such an array ends at an
// unreadable page too, so every test of a kernel is a test of what it reads. Sanitizers have red zones of
// their own, and want their own allocator.
#include "kernels/reference/guarded.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <new>

#include "bitplane/kernels/aligned.h"

#ifdef __has_feature
#define BITPLANE_TEST_FEATURE(name) __has_feature(name)
#else
#define BITPLANE_TEST_FEATURE(name) 0
#endif
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && \
    !BITPLANE_TEST_FEATURE(address_sanitizer) && !BITPLANE_TEST_FEATURE(thread_sanitizer)
#define BITPLANE_TEST_GUARDS_ARRAYS
#endif

namespace bitplane::kernels {
namespace {

using reference::Guarded;

TEST(Guarded, EndsAtAnUnreadablePage) {
  for (const std::size_t size : {1, 7, 64, 4095, 4096, 4097}) {
    Guarded<std::uint8_t> bytes(size);
    bytes.fill_bytes(3);
    EXPECT_EQ(std::count(bytes.begin(), bytes.end(), 3), static_cast<std::ptrdiff_t>(size));
    EXPECT_DEATH(static_cast<void>(*static_cast<volatile std::uint8_t*>(bytes.end())), "");
  }
}

#ifdef BITPLANE_TEST_GUARDS_ARRAYS
TEST(Guarded, SoDoesWhatKernelsAllocate) {
  AlignedArray<std::uint64_t> words(24);
  const volatile std::uint64_t* volatile data = words.data();  // hides the array from the compiler's warnings
  EXPECT_EQ(data[23], 0U);
  EXPECT_DEATH(static_cast<void>(data[24]), "");
}
#endif

}  // namespace
}  // namespace bitplane::kernels

#ifdef BITPLANE_TEST_GUARDS_ARRAYS
namespace {

/// Kept right in front of the array; there is always a page for it.
struct Mapping {
  void* start;
  std::size_t bytes;
};

std::size_t page_size() {
  return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

// Not inlined: GCC would take the header in front of an array for an access outside of it.
[[gnu::noinline]] void* operator new[](std::size_t size, std::align_val_t alignment) {
  const std::size_t page = page_size(), unit = static_cast<std::size_t>(alignment);
  const std::size_t bytes = (size + unit - 1) / unit * unit, inner = (bytes + page - 1) / page * page;
  const std::size_t mapped = inner + 2 * page;
  void* start = ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) throw std::bad_alloc();
  std::byte* end = static_cast<std::byte*>(start) + page + inner;
  if (::mprotect(end, page, PROT_NONE) != 0) throw std::bad_alloc();
  const Mapping mapping{start, mapped};
  std::memcpy(end - bytes - sizeof mapping, &mapping, sizeof mapping);
  return end - bytes;
}

[[gnu::noinline]] void operator delete[](void* data, std::align_val_t) noexcept {
  if (data == nullptr) return;
  Mapping mapping;
  std::memcpy(&mapping, static_cast<std::byte*>(data) - sizeof mapping, sizeof mapping);
  ::munmap(mapping.start, mapping.bytes);
}
#endif
