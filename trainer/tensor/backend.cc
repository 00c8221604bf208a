// SPDX-License-Identifier: Apache-2.0
#include "trainer/tensor/backend.h"

namespace bitplane::train {

Backend::Backend(const BackendOptions& options)
    : features_(options.features),
      f32_(&kernels::select_f32(options.features)),
      elementwise_(&kernels::select_elementwise(options.features)),
      threads_(options.threads) {}

}  // namespace bitplane::train
