// SPDX-License-Identifier: Apache-2.0
#include "trainer/tensor/recycled.h"

#include <array>
#include <bit>
#include <mutex>

namespace bitplane::train {
namespace {

/// A free block holds the pointer to the next one.
struct FreeBlock {
  FreeBlock* next;
};

constexpr std::size_t kSmallestBlock = 32, kLargestBlock = std::size_t{1} << 16;
constexpr std::size_t kClasses = std::bit_width(kLargestBlock / kSmallestBlock);

/// Blocks of kSmallestBlock * 2^class bytes.
constexpr std::size_t class_of(std::size_t bytes) {
  return bytes <= kSmallestBlock ? 0 : static_cast<std::size_t>(std::bit_width((bytes - 1) / kSmallestBlock));
}
static_assert(class_of(32) == 0 && class_of(33) == 1 && class_of(64) == 1 && class_of(65) == 2);
static_assert(class_of(kLargestBlock) == kClasses - 1);

struct FreeLists {
  std::mutex mutex;
  std::array<FreeBlock*, kClasses> first{};
};

/// Never destroyed: what it gave out may be given back while the process ends.
FreeLists& free_lists() {
  static FreeLists& lists = *new FreeLists;
  return lists;
}

}  // namespace

void* take_recycled(std::size_t bytes) {
  if (bytes > kLargestBlock) return ::operator new(bytes);
  const std::size_t size_class = class_of(bytes);
  {
    FreeLists& lists = free_lists();
    const std::lock_guard lock(lists.mutex);
    if (FreeBlock* block = lists.first[size_class]; block != nullptr) {
      lists.first[size_class] = block->next;
      return block;
    }
  }
  return ::operator new(kSmallestBlock << size_class);
}

void give_back_recycled(void* block, std::size_t bytes) noexcept {
  if (bytes > kLargestBlock) return ::operator delete(block);
  FreeLists& lists = free_lists();
  const std::lock_guard lock(lists.mutex);
  FreeBlock*& first = lists.first[class_of(bytes)];
  first = ::new (block) FreeBlock{first};
}

}  // namespace bitplane::train
