// SPDX-License-Identifier: Apache-2.0
//
// The tables that the per-ISA objects of family `codebook` export; each object exports exactly one symbol.
#pragma once

#include "bitplane/kernels/codebook.h"

namespace bitplane::kernels {

extern const CodebookKernels kCodebookScalar;
extern const CodebookKernels kCodebookAvx2;
extern const CodebookKernels kCodebookAvx512;
extern const CodebookKernels kCodebookNeon;

}  // namespace bitplane::kernels
