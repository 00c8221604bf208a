// SPDX-License-Identifier: Apache-2.0
//
// run() allocates nothing, on any thread, from the first call on, and an allocation that fails anywhere else
// is a Status: this binary counts every operator new, and lets one of them fail.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <new>

#include "bitplane/engine.h"
#include "engine/reference/interpreter.h"
#include "engine/reference/random_graph.h"
#include "engine/reference/specs.h"

namespace {

std::atomic<std::size_t> allocations{0};
std::atomic<std::size_t> given_back{0};
std::atomic<std::size_t> until_failure{0};  ///< that one fails, counted from 1; 0: none does

void* counted(std::size_t size, std::size_t alignment) {
  if (until_failure.load() != 0 && until_failure.fetch_sub(1) == 1) throw std::bad_alloc();
  allocations.fetch_add(1, std::memory_order_relaxed);
  void* memory = nullptr;
  if (alignment < sizeof(void*)) alignment = sizeof(void*);
  if (posix_memalign(&memory, alignment, size == 0 ? 1 : size) != 0) throw std::bad_alloc();
  return memory;
}

void give_back(void* memory) {
  if (memory == nullptr) return;
  given_back.fetch_add(1, std::memory_order_relaxed);
  std::free(memory);
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
  try {
    return counted(size, alignof(std::max_align_t));
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
// Not inlined: GCC 12 otherwise sees free() on what an operator new of its own returned and warns of a
// mismatch, since it inlines one of the two and not the other (-Wmismatched-new-delete at -O1).
[[gnu::noinline]] void operator delete(void* p) noexcept {
  give_back(p);
}
[[gnu::noinline]] void operator delete(void* p, const std::nothrow_t&) noexcept {
  give_back(p);
}
[[gnu::noinline]] void operator delete[](void* p) noexcept {
  give_back(p);
}
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept {
  give_back(p);
}
[[gnu::noinline]] void operator delete[](void* p, std::size_t) noexcept {
  give_back(p);
}
[[gnu::noinline]] void operator delete(void* p, std::align_val_t) noexcept {
  give_back(p);
}
[[gnu::noinline]] void operator delete[](void* p, std::align_val_t) noexcept {
  give_back(p);
}
[[gnu::noinline]] void operator delete(void* p, std::size_t, std::align_val_t) noexcept {
  give_back(p);
}
[[gnu::noinline]] void operator delete[](void* p, std::size_t, std::align_val_t) noexcept {
  give_back(p);
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

/// Calls `call` with each of its allocations failing in turn, until none is left.
template <class Call>
void for_each_failure(Call call) {
  for (std::size_t n = 1; n < 100000; ++n) {
    until_failure.store(n);
    const StatusCode code = call();
    if (until_failure.exchange(0) != 0) return;
    ASSERT_TRUE(code == StatusCode::OutOfMemory || code == StatusCode::Ok) << "allocation " << n;
  }
  FAIL() << "it never ends";
}

TEST(AllocationFailure, FilesAreReadAndWrittenOrAStatusSaysWhyNot) {
  const std::string path =
      ::testing::TempDir() + "/bitplane_allocation_" + std::to_string(::getpid()) + ".safetensors";
  const std::string missing = path + " is not there";
  const ModelSpec spec = reference::small_net();
  ModelSpec wrong = spec;
  wrong.output = "a name that is no node's, and longer than what a string holds without an allocation";
  for_each_failure([&] { return write_model(path, spec).code(); });
  for_each_failure([&] { return read_model(path).status().code(); });
  for_each_failure([&] { return Model::load(path).status().code(); });
  // Where there is memory for it, the reason is another one.
  const auto refused = [](const Status& status) {
    EXPECT_FALSE(status.ok());
    return StatusCode::OutOfMemory;
  };
  for_each_failure([&] { return refused(write_model(path, wrong)); });
  for_each_failure([&] { return refused(read_model(missing).status()); });
  std::remove(path.c_str());
}

/// What was packed before the failure serves the next attempt, what was not is packed then.
TEST(AllocationFailure, ASessionThatCannotBeMadeHarmsNoOther) {
  const ModelSpec spec = reference::small_net();
  const std::vector<std::uint8_t> picture = reference::pictures(spec, 1);
  const auto output_of = [&](const Model& model, const SessionOptions& options) {
    Result<Session> session = Session::create(model, options);
    EXPECT_TRUE(session.ok() && session->run(picture).ok()) << session.status().message();
    return std::vector<float>(session->output().begin(), session->output().end());
  };
  const Model other = Model::from_spec(spec).value();
  for (const SessionOptions& options : {SessionOptions{}, SessionOptions{.threads = 3}}) {
    const std::vector<float> expected = output_of(other, options);
    for_each_failure([&] {
      const std::size_t n = until_failure.exchange(0);
      const Model model = Model::from_spec(spec).value();
      until_failure.store(n);
      const StatusCode code = Session::create(model, options).status().code();
      const std::size_t left = until_failure.exchange(0);
      EXPECT_LE(model.memory_bytes(), other.memory_bytes());
      EXPECT_EQ(output_of(model, options), expected);
      until_failure.store(left);
      return code;
    });
  }
}

/// A server that lets its users choose the size of their pictures.
TEST(SessionAllocation, SizesThatNobodyUsesAnyMoreLeaveNothing) {
  const Model model = Model::from_spec(reference::small_net()).value();
  const auto held_after = [&](std::size_t height) {
    static_cast<void>(Session::create(model, {.height = height}));
    return allocations.load() - given_back.load();
  };
  const std::size_t held = held_after(10);
  for (std::size_t height = 11; height < 31; ++height) EXPECT_LE(held_after(height), held) << height;
  for (std::size_t height = 1; height < 4; ++height) EXPECT_LE(held_after(height), held) << height;
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
