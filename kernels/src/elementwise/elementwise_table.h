// SPDX-License-Identifier: Apache-2.0
//
// For per-ISA files only: the table of one vocabulary V.
#pragma once

#include "elementwise/elementwise_infos.h"
#include "elementwise/elementwise_kernels.h"
#include "elementwise/map_rows.h"
#include "elementwise/max_pool.h"
#include "elementwise/row_loops.h"

namespace bitplane::kernels {
namespace {

template <class V>
constexpr ElementwiseKernels make_elementwise_kernels(const KernelInfo& info) {
  return {.name = info.name,
          .isa = info.isa,
          .channel_sums = channel_sums<V>,
          .channel_moments = channel_moments<V>,
          .map_rows = map_rows<V>,
          .mask_gradient = mask_gradient<V>,
          .trained_gradient = trained_gradient<V>,
          .norm_sums = norm_sums<V>,
          .norm_gradient = norm_gradient<V>,
          .add = add_arrays<V>,
          .sgd_step = sgd_step<V>,
          .adam_step = adam_step<V>,
          .blend = blend_arrays<V>,
          .max_pool = max_pool<V>,
          .max_pool_gradient = max_pool_gradient<V>};
}

}  // namespace
}  // namespace bitplane::kernels
