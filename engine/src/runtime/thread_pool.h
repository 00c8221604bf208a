// SPDX-License-Identifier: Apache-2.0
//
// The calling thread and some workers, or the application's executor, in lockstep: parallel() returns when
// all of them are done. Nothing is allocated or thrown after construction. Work is split statically, so that
// who computes what does not depend on timing; results do not depend on the split.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

#include "bitplane/engine.h"
#include "bitplane/kernels/conv_shape.h"

namespace bitplane::engine {

class ThreadPool {
 public:
  /// Starts threads - 1 workers, or none where an executor runs the parts. Throws std::system_error and
  /// std::bad_alloc.
  explicit ThreadPool(std::size_t threads, const Executor& executor = {});
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  [[nodiscard]] std::size_t threads() const noexcept { return threads_; }

  /// Calls task(range, thread) with the parts of [0, rows), one part per thread. `task` must not throw.
  template <class Task>
  void parallel(std::size_t rows, const Task& task) noexcept {
    run({.call = [](const void* context, kernels::RowRange range,
                    std::size_t thread) noexcept { (*static_cast<const Task*>(context))(range, thread); },
         .context = &task,
         .rows = rows});
  }

 private:
  struct Job {
    void (*call)(const void* context, kernels::RowRange range, std::size_t thread) noexcept = nullptr;
    const void* context = nullptr;
    std::size_t rows = 0;
  };

  /// What an executor's task needs to know.
  struct Part {
    const ThreadPool* pool;
    const Job* job;
  };

  void run(const Job& job) noexcept;
  void run_part(const Job& job, std::size_t thread) const noexcept;
  void work(std::size_t thread) noexcept;
  void stop() noexcept;

  std::size_t threads_;
  Executor executor_;
  Job job_;  // written before generation_ is raised, read after it was seen
  std::atomic<std::uint32_t> generation_{0};
  std::atomic<std::uint32_t> running_{0};
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> workers_;
};

}  // namespace bitplane::engine
