// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

#include "bitplane/kernels/codebook.h"
#include "bitplane/kernels/dot.h"
#include "bitplane/kernels/epilogue.h"
#include "bitplane/kernels/f32.h"
#include "bitplane/kernels/isa.h"
#include "bitplane/kernels/lowbit_conv.h"
#include "lowering/program.h"

namespace bitplane::engine {

/// The kernels of a session.
struct KernelChoice {
  kernels::Isa isa = kernels::Isa::Scalar;
  const kernels::F32Kernels* f32 = nullptr;
  const kernels::CodebookKernels* codebook = nullptr;
  const kernels::EpilogueKernels* epilogue = nullptr;
  const kernels::DotKernels* bytes = nullptr;  ///< of convolutions of bytes
  /// [step of the program]; null where the step is no convolution of planes.
  std::vector<const kernels::LowBitKernel*> planes;
};

/// By estimated cost. Pure: the same wishes give the same kernels, on any host. Throws std::bad_alloc.
[[nodiscard]] KernelChoice choose_kernels(const ModelSpec& spec, const Program& program,
                                          const kernels::LowBitWishes& wishes, std::size_t batch);

}  // namespace bitplane::engine
