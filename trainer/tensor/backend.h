// SPDX-License-Identifier: Apache-2.0
//
// What computes: the kernels that were chosen for the CPU and the threads that run them. One per run; every
// result is the same for any number of threads, and in float32 for any features.
#pragma once

#include <cstddef>
#include <memory>

#include "bitplane/kernels/elementwise.h"
#include "bitplane/kernels/f32.h"
#include "bitplane/kernels/isa.h"
#include "trainer/tensor/bf16_plans.h"
#include "trainer/tensor/conv_plans.h"
#include "trainer/tensor/precision.h"
#include "trainer/tensor/thread_pool.h"

namespace bitplane::train {

struct BackendOptions {
  kernels::CpuFeatures features = kernels::permitted(kernels::detect_cpu());
  std::size_t threads = 1;
  Precision precision = Precision::Float32;
};

class Backend {
 public:
  /// Throws std::invalid_argument where the features lack the precision.
  explicit Backend(const BackendOptions& options = {});

  [[nodiscard]] kernels::CpuFeatures features() const noexcept { return features_; }
  [[nodiscard]] const kernels::F32Kernels& f32() const noexcept { return *f32_; }
  [[nodiscard]] const kernels::ElementwiseKernels& elementwise() const noexcept { return *elementwise_; }
  [[nodiscard]] ThreadPool& threads() noexcept { return threads_; }
  [[nodiscard]] ConvPlan& conv_plan(const kernels::ConvShape& shape) { return conv_plans_.of(shape); }
  /// nullptr: products are computed in float32.
  [[nodiscard]] Bf16Plans* bf16() const noexcept { return bf16_.get(); }

 private:
  kernels::CpuFeatures features_;
  const kernels::F32Kernels* f32_;
  const kernels::ElementwiseKernels* elementwise_;
  ThreadPool threads_;
  ConvPlans conv_plans_;
  std::unique_ptr<Bf16Plans> bf16_;
};

}  // namespace bitplane::train
