// SPDX-License-Identifier: Apache-2.0
//
// A steady training step allocates nothing: this binary counts every operator new. The first steps fill the
// caches of storage, small blocks and plans.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "trainer/math/random.h"
#include "trainer/methods/method.h"
#include "trainer/nets/net.h"
#include "trainer/ops/loss.h"
#include "trainer/optim/optimizer.h"
#include "trainer/tensor/storage_pool.h"

namespace {

std::atomic<std::size_t> step_allocations{0};

void* counted(std::size_t size, std::size_t alignment) {
  step_allocations.fetch_add(1, std::memory_order_relaxed);
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

namespace bitplane::train {
namespace {

constexpr PictureShape kPicture{12, 12, 3};
constexpr std::size_t kPictures = 19, kClasses = 4;

class Steps {
 public:
  Steps(const MethodSettings& method, std::size_t threads)
      : backend_({.threads = threads}), plan_(make_plan(resolve_method(method))) {
    net_ = build_net("resnet-20", {.input = kPicture, .classes = kClasses, .width = 0.5, .plan = plan_});
    initialize_parameters(*net_, 1);
    parameters_ = named_parameters(*net_);
    optimizer_ = make_sgd(parameters_, {.momentum = 0.9, .weight_decay = 1e-4});
    Random random(1, stream_of("pictures"));
    for (float& v : pictures_.mutable_values()) v = static_cast<float>(random.normal());
    for (std::size_t i = 0; i < kPictures; ++i) labels_.push_back(static_cast<std::uint16_t>(i % kClasses));
  }

  void run() {
    const Context ctx{.backend = backend_};
    const Variable loss = softmax_cross_entropy(ctx, net_->forward(ctx, Variable(pictures_)), labels_);
    for (const NamedParameter& p : parameters_) p.parameter->variable.clear_grad();
    backward(ctx, loss);
    optimizer_->step(backend_, 0.01);
  }

 private:
  Backend backend_;
  QuantizationPlan plan_;
  std::unique_ptr<Module> net_;
  std::vector<NamedParameter> parameters_;
  std::unique_ptr<Optimizer> optimizer_;
  Tensor pictures_{{kPictures, kPicture.height, kPicture.width, kPicture.channels}};
  std::vector<std::uint16_t> labels_;
};

struct Counted {
  std::size_t allocations, storage;
};

/// Of steps 3 to 10.
Counted steady_allocations(const MethodSettings& method, std::size_t threads) {
  Steps steps(method, threads);
  for (int step = 0; step < 2; ++step) steps.run();
  const std::size_t allocations = step_allocations.load();
  const std::size_t storage = StoragePool::instance().counters().system_requests;
  for (int step = 0; step < 8; ++step) steps.run();
  return {step_allocations.load() - allocations,
          StoragePool::instance().counters().system_requests - storage};
}

TEST(StepAllocation, AFloatStepAllocatesNothing) {
  for (const std::size_t threads : {1, 3}) {
    SCOPED_TRACE("threads " + std::to_string(threads));
    const Counted counted = steady_allocations({.method = "float"}, threads);
    EXPECT_EQ(counted.allocations, 0U);
    EXPECT_EQ(counted.storage, 0U);
  }
}

// Quantizers make their tables and solve for their bases in small vectors; tensors are reused all the same.
TEST(StepAllocation, AQuantizedStepTakesNoStorage) {
  EXPECT_EQ(steady_allocations({.method = "lq-nets", .wbits = 2, .abits = 2}, 2).storage, 0U);
}

}  // namespace
}  // namespace bitplane::train
