// SPDX-License-Identifier: Apache-2.0
//
// The product is the f32 family's; indices are expanded one at a time, which the rows of a convolution share.
#include "codebook/codebook_infos.h"
#include "codebook/codebook_kernels.h"
#include "codebook/expand_indices.h"
#include "f32/f32_kernels.h"

namespace bitplane::kernels {

constinit const CodebookKernels kCodebookNeon{.name = kCodebookInfos[3].name,
                                              .isa = Isa::Neon,
                                              .f32 = &kF32Neon,
                                              .expand = expand_indices,
                                              .row_form = no_row_form};

}  // namespace bitplane::kernels
