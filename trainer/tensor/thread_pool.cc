// SPDX-License-Identifier: Apache-2.0
#include "trainer/tensor/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <limits>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace bitplane::train {
namespace {

/// A worker looks this often for new work before it sleeps: the loops of a training step follow each other
/// within microseconds, a wake-up through the kernel costs tens of them.
constexpr int kSpins = 2000;

}  // namespace

struct ThreadPool::Impl {
  /// A runner's own share of the chunks; others take from it when theirs is done.
  struct alignas(64) Share {
    std::atomic<std::size_t> next{0};
    std::size_t end = 0;
  };

  explicit Impl(std::size_t threads) : shares(threads) {}

  std::vector<Share> shares;
  std::vector<std::thread> workers;
  std::mutex mutex;
  std::condition_variable wake;
  std::atomic<std::uint64_t> generation{0};
  std::atomic<std::size_t> running{0};
  bool stop = false;
  const FunctionRef<void(std::size_t, std::size_t)>* body = nullptr;
  std::mutex error_mutex;
  std::exception_ptr error;
  std::size_t error_chunk = std::numeric_limits<std::size_t>::max();

  void run_chunk(std::size_t chunk, std::size_t runner) noexcept {
    try {
      (*body)(chunk, runner);
    } catch (...) {
      const std::lock_guard lock(error_mutex);
      if (chunk < error_chunk) {
        error_chunk = chunk;
        error = std::current_exception();
      }
    }
  }

  void run(std::size_t runner) noexcept {
    for (std::size_t k = 0; k < shares.size(); ++k) {
      Share& share = shares[(runner + k) % shares.size()];
      for (;;) {
        const std::size_t chunk = share.next.fetch_add(1, std::memory_order_relaxed);
        if (chunk >= share.end) break;
        run_chunk(chunk, runner);
      }
    }
  }

  void work(std::size_t runner) {
    std::uint64_t seen = 0;
    for (;;) {
      for (int i = 0; i < kSpins && generation.load(std::memory_order_acquire) == seen; ++i) {
        if (i % 64 == 63) std::this_thread::yield();
      }
      if (generation.load(std::memory_order_acquire) == seen) {
        std::unique_lock lock(mutex);
        wake.wait(lock, [&] { return generation.load(std::memory_order_acquire) != seen; });
      }
      seen = generation.load(std::memory_order_acquire);
      if (stop) return;
      run(runner);
      running.fetch_sub(1, std::memory_order_release);
    }
  }

  void announce() {
    {
      const std::lock_guard lock(mutex);
      generation.fetch_add(1, std::memory_order_release);
    }
    wake.notify_all();
  }

  void end() {
    stop = true;
    announce();
    for (std::thread& worker : workers) worker.join();
  }
};

ThreadPool::ThreadPool(std::size_t threads)
    : impl_(std::make_unique<Impl>(std::max<std::size_t>(threads, 1))) {
  try {
    for (std::size_t i = 1; i < impl_->shares.size(); ++i)
      impl_->workers.emplace_back([impl = impl_.get(), i] { impl->work(i); });
  } catch (const std::system_error& error) {
    impl_->end();
    throw std::system_error(error.code(),
                            "cannot start " + std::to_string(threads) + " threads, ask for fewer");
  }
}

ThreadPool::~ThreadPool() {
  impl_->end();
}

std::size_t ThreadPool::size() const noexcept {
  return impl_->shares.size();
}

void ThreadPool::parallel_for(std::size_t chunks, FunctionRef<void(std::size_t, std::size_t)> body) {
  Impl& impl = *impl_;
  if (impl.workers.empty() || chunks <= 1) {
    for (std::size_t chunk = 0; chunk < chunks; ++chunk) body(chunk, 0);
    return;
  }
  const std::size_t runners = impl.shares.size();
  for (std::size_t r = 0; r < runners; ++r) {
    impl.shares[r].next.store(chunks * r / runners, std::memory_order_relaxed);
    impl.shares[r].end = chunks * (r + 1) / runners;
  }
  impl.body = &body;
  impl.running.store(impl.workers.size(), std::memory_order_relaxed);
  impl.announce();
  impl.run(0);
  for (int i = 0; impl.running.load(std::memory_order_acquire) != 0; ++i) {
    if (i % 64 == 63) std::this_thread::yield();
  }
  impl.error_chunk = std::numeric_limits<std::size_t>::max();
  if (impl.error) std::rethrow_exception(std::exchange(impl.error, nullptr));
}

void ThreadPool::parallel_ranges(std::size_t count, std::size_t grain,
                                 FunctionRef<void(std::size_t, std::size_t, std::size_t)> body) {
  const std::size_t step = std::max<std::size_t>(grain, 1);
  parallel_for((count + step - 1) / step, [&](std::size_t chunk, std::size_t runner) {
    body(chunk * step, std::min(count, (chunk + 1) * step), runner);
  });
}

}  // namespace bitplane::train
