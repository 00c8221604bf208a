// SPDX-License-Identifier: Apache-2.0
//
// run() allocates nothing, on any thread, from the first call on: this binary counts every operator new.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "bitplane/engine.h"
#include "engine/reference/interpreter.h"
#include "engine/reference/random_graph.h"
#include "engine/reference/specs.h"

namespace {

std::atomic<std::size_t> allocations{0};

void* counted(std::size_t size, std::size_t alignment) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  void* memory = nullptr;
  if (alignment < sizeof(void*)) alignment = sizeof(void*);
  if (posix_memalign(&memory, alignment, size == 0 ? 1 : size) != 0) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(std::size_t size) {
  return counted(size, alignof(std::max_align_t));
}
void* operator new[](std::size_t size) {
  return counted(size, alignof(std::max_align_t));
}
void* operator new(std::size_t size, std::align_val_t a) {
  return counted(size, static_cast<std::size_t>(a));
}
void* operator new[](std::size_t size, std::align_val_t a) {
  return counted(size, static_cast<std::size_t>(a));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return counted(size, alignof(std::max_align_t));
}
// Not inlined: GCC 12 otherwise sees free() on what an operator new of its own returned and warns of a
// mismatch, since it inlines one of the two and not the other (-Wmismatched-new-delete at -O1).
[[gnu::noinline]] void operator delete(void* p) noexcept {
  std::free(p);
}
[[gnu::noinline]] void operator delete(void* p, const std::nothrow_t&) noexcept {
  std::free(p);
}
[[gnu::noinline]] void operator delete[](void* p) noexcept {
  std::free(p);
}
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept {
  std::free(p);
}
[[gnu::noinline]] void operator delete[](void* p, std::size_t) noexcept {
  std::free(p);
}
[[gnu::noinline]] void operator delete(void* p, std::align_val_t) noexcept {
  std::free(p);
}
[[gnu::noinline]] void operator delete[](void* p, std::align_val_t) noexcept {
  std::free(p);
}
[[gnu::noinline]] void operator delete(void* p, std::size_t, std::align_val_t) noexcept {
  std::free(p);
}
[[gnu::noinline]] void operator delete[](void* p, std::size_t, std::align_val_t) noexcept {
  std::free(p);
}

namespace bitplane::engine {
namespace {

/// An application's pool, as far as run() sees it.
void run_backwards(void*, std::size_t tasks, void (*task)(void*, std::size_t) noexcept,
                   void* task_context) noexcept {
  while (tasks-- > 0) task(task_context, tasks);
}

void expect_no_allocation(const ModelSpec& spec, const SessionOptions& options) {
  Result<Model> model = Model::from_spec(spec);
  ASSERT_TRUE(model.ok()) << model.status().message();
  Result<Session> session = Session::create(model.value(), options);
  ASSERT_TRUE(session.ok()) << session.status().message();
  const std::vector<std::uint8_t> pictures = reference::pictures(spec, 2);
  const std::vector<float> floats = reference::preprocess(spec.input, pictures);
  const std::size_t before = allocations.load();
  bool ok = true;
  for (int i = 0; i < 3; ++i) ok = session->run(pictures).ok() && session->run(floats).ok() && ok;
  EXPECT_EQ(allocations.load(), before);
  EXPECT_TRUE(ok);
}

TEST(SessionAllocation, TheCounterCounts) {
  const std::size_t before = allocations.load();
  const auto* value = new std::vector<int>(100);
  EXPECT_EQ(allocations.load(), before + 2);
  delete value;
}

TEST(SessionAllocation, RunAllocatesNothing) {
  SessionOptions one{.batch = 2, .capture_codes = true}, workers = one, executor = one;
  workers.threads = executor.threads = 3;
  executor.executor.run = run_backwards;
  for (const SessionOptions& options : {one, workers, executor}) {
    SCOPED_TRACE("threads " + std::to_string(options.threads));
    expect_no_allocation(reference::small_net(), options);
    for (std::uint32_t seed = 1; seed <= 10; ++seed) {
      SCOPED_TRACE("seed " + std::to_string(seed));
      expect_no_allocation(reference::RandomGraph(seed).make(), options);
    }
  }
}

}  // namespace
}  // namespace bitplane::engine
