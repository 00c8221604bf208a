// SPDX-License-Identifier: Apache-2.0
#include "codebook/codebook_infos.h"
#include "codebook/codebook_kernels.h"
#include "codebook/expand_indices.h"
#include "f32/f32_kernels.h"

namespace bitplane::kernels {

constinit const CodebookKernels kCodebookScalar{.name = kCodebookInfos[0].name,
                                                .isa = Isa::Scalar,
                                                .f32 = &kF32Scalar,
                                                .expand = expand_indices,
                                                .row_form = no_row_form};

}  // namespace bitplane::kernels
