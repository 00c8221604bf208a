// SPDX-License-Identifier: Apache-2.0
//
// The tables that the per-ISA objects of family `elementwise` export; each exports exactly one symbol.
#pragma once

#include "bitplane/kernels/elementwise.h"

namespace bitplane::kernels {

extern const ElementwiseKernels kElementwiseScalar;
extern const ElementwiseKernels kElementwiseAvx2;
extern const ElementwiseKernels kElementwiseAvx512;
extern const ElementwiseKernels kElementwiseNeon;

}  // namespace bitplane::kernels
