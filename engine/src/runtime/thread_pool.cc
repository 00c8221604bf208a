// SPDX-License-Identifier: Apache-2.0
#include "runtime/thread_pool.h"

#include <algorithm>
#include <chrono>
#include <optional>

namespace bitplane::engine {
namespace {

// A step of a small net takes microseconds, waking a sleeper takes tens: look a while before going to sleep.
// Longer than most steps take, so that workers stay awake within a run, and sleep between runs.
constexpr std::chrono::microseconds kSpinTime{50};
constexpr int kSpinsPerClock = 64;

void spin_once() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Returns once `value` differs from `old`.
void wait_for_change(const std::atomic<std::uint32_t>& value, std::uint32_t old) noexcept {
  std::optional<std::chrono::steady_clock::time_point> start;
  for (;;) {
    for (int i = 0; i < kSpinsPerClock; ++i) {
      if (value.load(std::memory_order_acquire) != old) return;
      spin_once();
    }
    const auto now = std::chrono::steady_clock::now();
    if (!start) start = now;
    if (now - *start > kSpinTime) break;
  }
  value.wait(old, std::memory_order_acquire);
}

}  // namespace

ThreadPool::ThreadPool(std::size_t threads, const Executor& executor)
    : threads_(threads), executor_(executor) {
  if (executor_.run != nullptr) return;
  workers_.reserve(threads - 1);
  try {
    for (std::size_t i = 1; i < threads; ++i) workers_.emplace_back([this, i] { work(i); });
  } catch (...) {
    stop();
    throw;
  }
}

ThreadPool::~ThreadPool() {
  stop();
}

void ThreadPool::stop() noexcept {
  stopping_.store(true, std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
}

void ThreadPool::run(const Job& job) noexcept {
  if (threads_ == 1 || job.rows < 2) {
    job.call(job.context, {0, job.rows}, 0);
    return;
  }
  if (executor_.run != nullptr) {
    const Part part{this, &job};
    executor_.run(
        executor_.context, std::min(threads_, job.rows),
        [](void* task, std::size_t thread) noexcept {
          const Part& shared = *static_cast<const Part*>(task);
          shared.pool->run_part(*shared.job, thread);
        },
        const_cast<Part*>(&part));
    return;
  }
  job_ = job;
  running_.store(static_cast<std::uint32_t>(workers_.size()), std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  run_part(job, 0);
  for (std::uint32_t left = running_.load(std::memory_order_acquire); left != 0;
       left = running_.load(std::memory_order_acquire)) {
    wait_for_change(running_, left);
  }
}

void ThreadPool::run_part(const Job& job, std::size_t thread) const noexcept {
  const std::size_t parts = std::min(threads_, job.rows);
  if (thread >= parts) return;
  const std::size_t begin = job.rows * thread / parts;
  const std::size_t end = job.rows * (thread + 1) / parts;
  job.call(job.context, {begin, end}, thread);
}

void ThreadPool::work(std::size_t thread) noexcept {
  std::uint32_t seen = 0;
  for (;;) {
    wait_for_change(generation_, seen);
    seen = generation_.load(std::memory_order_acquire);
    if (stopping_.load(std::memory_order_relaxed)) return;
    run_part(job_, thread);
    if (running_.fetch_sub(1, std::memory_order_acq_rel) == 1) running_.notify_one();
  }
}

}  // namespace bitplane::engine
