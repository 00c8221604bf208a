// SPDX-License-Identifier: Apache-2.0
#include "trainer/tensor/storage_pool.h"

#include <bit>
#include <limits>
#include <map>
#include <mutex>
#include <new>
#include <vector>

#include "trainer/tensor/recycled.h"

namespace bitplane::train {
namespace {

constexpr std::align_val_t kAlignment{64};

/// Sizes are rounded up to four steps per power of two: a last, shorter batch finds the blocks of the full
/// one, and at most a quarter is wasted.
std::size_t block_floats(std::size_t floats) {
  constexpr std::size_t kSmallest = 64;
  if (floats > std::numeric_limits<std::size_t>::max() / 16) throw std::bad_alloc();
  if (floats <= kSmallest) return kSmallest;
  const std::size_t step = std::bit_floor(floats - 1) / 4;
  return (floats + step - 1) / step * step;
}

}  // namespace

struct StoragePool::Impl {
  std::mutex mutex;
  std::map<std::size_t, std::vector<float*>> free_blocks;  // by size in floats
  Counters counters;

  ~Impl() { trim(); }

  float* take(std::size_t floats) {
    {
      const std::lock_guard lock(mutex);
      auto& blocks = free_blocks[floats];
      if (!blocks.empty()) {
        float* block = blocks.back();
        blocks.pop_back();
        counters.cached_bytes -= floats * sizeof(float);
        return block;
      }
      ++counters.system_requests;
    }
    return static_cast<float*>(::operator new[](floats * sizeof(float), kAlignment));
  }

  void give_back(float* block, std::size_t floats) noexcept {
    const std::lock_guard lock(mutex);
    try {
      free_blocks[floats].push_back(block);
      counters.cached_bytes += floats * sizeof(float);
    } catch (const std::bad_alloc&) {  // no memory for the list: then for the cache neither
      ::operator delete[](block, kAlignment);
    }
  }

  void trim() noexcept {
    const std::lock_guard lock(mutex);
    for (auto& [floats, blocks] : free_blocks) {
      for (float* block : blocks) ::operator delete[](block, kAlignment);
    }
    free_blocks.clear();
    counters.cached_bytes = 0;
  }
};

StoragePool::StoragePool() : impl_(std::make_shared<Impl>()) {}
StoragePool::~StoragePool() = default;

StoragePool& StoragePool::instance() {
  static StoragePool pool;
  return pool;
}

std::shared_ptr<float[]> StoragePool::allocate(std::size_t floats) {
  const std::size_t size = block_floats(floats);
  float* block = impl_->take(size);
  // The deleter keeps the cache alive: a tensor may outlive the pool at the end of the process.
  return {block, [impl = impl_, size](float* p) noexcept { impl->give_back(p, size); }, Recycled<float>{}};
}

void StoragePool::trim() noexcept {
  impl_->trim();
}

StoragePool::Counters StoragePool::counters() const noexcept {
  const std::lock_guard lock(impl_->mutex);
  return impl_->counters;
}

}  // namespace bitplane::train
