// SPDX-License-Identifier: Apache-2.0
#include "lowbit_run.h"

#include "layers.h"

namespace bitplane::bench {

using namespace kernels;

RunHere run_to_planes(const std::shared_ptr<LowBitRun>& p, const EpilogueKernels& epilogues) {
  const RowRange rows{0, p->problem->shape().out_height()};
  const std::size_t plane_bytes = p->problem->out_layout().picture_bytes();
  const Epilogue epilogue = p->problem->to_planes(*p->conv, shared_output(plane_bytes));
  std::byte* scratch = shared_scratch(p->conv->scratch_bytes());
  RunHere run = [=, &epilogues] { p->conv->run(p->problem->input(), rows, epilogues, epilogue, scratch); };
  run();
  p->problem->check_planes({epilogue.out_planes, plane_bytes});
  return run;
}

RunHere run_to_sums(const std::shared_ptr<LowBitRun>& p, const EpilogueKernels& epilogues) {
  const RowRange rows{0, p->problem->shape().out_height()};
  const std::size_t outputs = p->problem->outputs();
  std::byte* scratch = shared_scratch(p->conv->scratch_bytes());
  std::byte* out = shared_output(outputs * 4);
  if (p->problem->basis() == Basis::Uniform) {
    auto* integers = reinterpret_cast<std::int32_t*>(out);
    RunHere run = [=] { p->conv->run_integer(p->problem->input(), rows, integers, scratch); };
    run();
    p->problem->check_integers({integers, outputs});
    return run;
  }
  auto* floats = reinterpret_cast<float*>(out);
  const Epilogue epilogue = p->problem->to_floats(floats);
  RunHere run = [=, &epilogues] { p->conv->run(p->problem->input(), rows, epilogues, epilogue, scratch); };
  run();
  p->problem->check_floats({floats, outputs});
  return run;
}

std::vector<LowBitPlace> lowbit_places(const Selection& selection) {
  std::vector<LowBitPlace> places;
  for (const GemmShape& shape : kGemmShapes) {
    const std::string group = shape.n() == 1 ? "vector" : "gemm";
    if (selection.wants(group))
      places.push_back({group, std::string(shape.name), shape.shape(), Output::Sums});
  }
  for (const ConvLayer& layer : kConvLayers) {
    if (selection.wants("conv")) places.push_back({"conv", layer_name(layer), layer.shape(), Output::Planes});
  }
  return places;
}

}  // namespace bitplane::bench
