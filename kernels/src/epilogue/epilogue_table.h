// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bitplane/kernels/epilogue.h"

namespace bitplane::kernels {

extern const EpilogueKernels kEpilogueScalar;
extern const EpilogueKernels kEpilogueAvx2;
extern const EpilogueKernels kEpilogueAvx512;
extern const EpilogueKernels kEpilogueNeon;

}  // namespace bitplane::kernels
