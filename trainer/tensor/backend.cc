// SPDX-License-Identifier: Apache-2.0
#include "trainer/tensor/backend.h"

#include <stdexcept>

namespace bitplane::train {

Backend::Backend(const BackendOptions& options)
    : features_(options.features),
      f32_(&kernels::select_f32(options.features)),
      elementwise_(&kernels::select_elementwise(options.features)),
      threads_(options.threads) {
  if (options.precision == Precision::Float32) return;
  const kernels::Bf16Kernels* bf16 = kernels::select_bf16(features_);
  if (bf16 == nullptr) throw std::invalid_argument("bf16 needs AVX-512 BF16 or AMX-bf16");
  bf16_ = std::make_unique<Bf16Plans>(*bf16, threads_.size());
}

}  // namespace bitplane::train
