// SPDX-License-Identifier: Apache-2.0
//
// Parallel loops whose results do not depend on the number of threads: the caller cuts the work into chunks
// by a rule that knows nothing of threads, each chunk writes its own outputs, and partial results are
// combined in chunk order by the caller. Which thread runs a chunk is free.
#pragma once

#include <cstddef>
#include <memory>

#include "trainer/tensor/function_ref.h"

namespace bitplane::train {

class ThreadPool {
 public:
  /// `threads` runners: the calling thread and threads - 1 workers. 0 counts as 1.
  explicit ThreadPool(std::size_t threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  [[nodiscard]] std::size_t size() const noexcept;

  /// body(chunk, runner) once for each chunk in [0, chunks); runner < size() names who runs it, so that it
  /// can have scratch of its own. Returns when all are done. The first exception (by chunk) is thrown again
  /// here. Not reentrant: a body must not start another loop of the same pool.
  void parallel_for(std::size_t chunks, FunctionRef<void(std::size_t chunk, std::size_t runner)> body);

  /// body(begin, end, runner) over [0, count) in pieces of `grain` (the last one shorter).
  void parallel_ranges(std::size_t count, std::size_t grain,
                       FunctionRef<void(std::size_t begin, std::size_t end, std::size_t runner)> body);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace bitplane::train
