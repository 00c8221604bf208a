// SPDX-License-Identifier: Apache-2.0
#include "lowering/choose_kernels.h"

#include "lowering/plane_operands.h"

namespace bitplane::engine {

KernelChoice choose_kernels(const ModelSpec& spec, const Program& program,
                            const kernels::LowBitWishes& wishes, std::size_t batch) {
  KernelChoice choice{.isa = wishes.features.best(),
                      .f32 = &kernels::select_f32(wishes.features),
                      .codebook = &kernels::select_codebook(wishes.features),
                      .epilogue = &kernels::select_epilogue(wishes.features),
                      .bytes = &kernels::select_dot(wishes.features),
                      .planes = std::vector<const kernels::LowBitKernel*>(program.steps.size(), nullptr)};
  for (std::size_t s = 0; s < program.steps.size(); ++s) {
    const Step& step = program.steps[s];
    if (!convolves_planes(program, step)) continue;
    choice.planes[s] = &kernels::select_lowbit(wishes, plane_operands(spec, program, step, batch).spec);
  }
  return choice;
}

}  // namespace bitplane::engine
