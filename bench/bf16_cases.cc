// SPDX-License-Identifier: Apache-2.0
//
// Group f32 too: the products of `--precision bf16` training, beside the float32 rows of the same shapes.
// Operands come and results go as float32; rounding, packing and turning them are counted, except for the
// weights of S1..S5.
#include <algorithm>
#include <memory>
#include <string>

#include "bitplane/kernels/aligned.h"
#include "bitplane/kernels/bf16.h"
#include "bitplane/kernels/registry.h"
#include "case.h"
#include "float_problem.h"
#include "layers.h"
#include "peaks.h"
#include "window.h"

namespace bitplane::bench {
namespace {

using namespace kernels;

struct Bf16Problem {
  std::shared_ptr<FloatProblem> problem;
  const Bf16Kernels* kernels;
  Bf16Conv conv;
  AlignedArray<std::byte> weights;
  [[nodiscard]] const ConvShape& shape() const { return problem->shape(); }
};

std::shared_ptr<Bf16Problem> load_bf16(const std::shared_ptr<FloatProblem>& problem, Isa isa) {
  problem->load();
  const Bf16Kernels* kernels = select_bf16(detect_cpu().limited_to(isa));
  const Bf16Conv conv(*kernels, problem->shape());
  auto p = std::make_shared<Bf16Problem>(
      Bf16Problem{problem, kernels, conv, AlignedArray<std::byte>(conv.packed_weight_bytes())});
  p->conv.pack_weights(problem->w().data(), Bf16Order::ColumnMajor, p->weights.data());
  return p;
}

Timed prepare_forward(const std::shared_ptr<FloatProblem>& problem, Isa isa) {
  const auto p = load_bf16(problem, isa);
  auto* z = reinterpret_cast<float*>(shared_output(problem->outputs() * sizeof(float)));
  std::byte* scratch = shared_scratch(p->conv.forward_scratch_bytes());
  const RowRange rows{0, p->shape().batch * p->shape().out_height()};
  RunHere run = [=] { p->conv.forward(p->problem->x().data(), p->weights.data(), z, rows, scratch); };
  run();
  problem->check_near({z, problem->outputs()});
  return run;
}

Timed prepare_weight_gradient(const std::shared_ptr<FloatProblem>& problem, Isa isa) {
  const auto p = load_bf16(problem, isa);
  const std::size_t size = problem->w().size();
  auto* dw = reinterpret_cast<float*>(shared_output(size * sizeof(float)));
  std::byte* scratch = shared_scratch(p->conv.weight_gradient_scratch_bytes());
  RunHere run = [=] {
    const FloatProblem& operands = *p->problem;
    const std::size_t batch = p->shape().batch, group = p->conv.weight_gradient_group();
    for (std::size_t first = 0; first < batch; first += group) {
      p->conv.weight_gradient(operands.x().data(), operands.dz().data(), dw, first,
                              std::min(first + group, batch),
                              first == 0 ? Accumulate::Overwrite : Accumulate::Add, scratch);
    }
  };
  run();
  problem->check_weight_gradient_near({dw, size});
  return run;
}

Row bf16_row(std::string name, const ConvShape& shape, const KernelInfo& info) {
  Row row{.key = {.group = "f32",
                  .shape = std::move(name),
                  .bits = "16/16",
                  .basis = "bf16",
                  .kernel = std::string(info.name),
                  .isa = std::string(isa_name(info.isa))},
          .macs = useful_macs(shape),
          .peak = std::string(kBf16Peak)};
  row.work = row.macs;
  return row;
}

}  // namespace

void add_bf16_cases(const Selection& selection, std::vector<Case>& cases) {
  if (!selection.wants("f32")) return;
  for (const KernelInfo& info : registry()) {
    if (info.family != Family::Bf16 || !selection.wants(info.isa)) continue;
    for (const GemmShape& gemm : kGemmShapes) {
      if (gemm.n() == 1) continue;  // training has no products of one pixel
      const auto problem = std::make_shared<FloatProblem>(gemm.shape(), Operands::Bf16);
      cases.push_back({bf16_row(std::string(gemm.name), gemm.shape(), info),
                       [problem, isa = info.isa] { return prepare_forward(problem, isa); }});
    }
    for (const ConvLayer& layer : kTrainLayers) {
      ConvShape shape = layer.shape();
      shape.batch = kTrainPictures;
      const auto problem = std::make_shared<FloatProblem>(shape, Operands::Bf16);
      const std::string name = train_layer_name(layer);
      cases.push_back({bf16_row(name + " forward", shape, info),
                       [problem, isa = info.isa] { return prepare_forward(problem, isa); }});
      cases.push_back({bf16_row(name + " weight gradient", shape, info),
                       [problem, isa = info.isa] { return prepare_weight_gradient(problem, isa); }});
    }
  }
}

}  // namespace bitplane::bench
