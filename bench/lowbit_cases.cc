// SPDX-License-Identifier: Apache-2.0
//
// Every registered low-bit kernel on every shape and width that it supports.
//
//   gemm, vector  a 1x1 layer: packed activations in; the bare int32 out (uniform) or z as floats (learned)
//   conv          a layer between quantizers: packed planes in, packed planes out, windows and thresholds
//                 counted
#include <algorithm>
#include <memory>
#include <string>

#include "bitplane/kernels/lowbit_conv.h"
#include "case.h"
#include "layers.h"
#include "lowbit_problem.h"
#include "peaks/loops.h"

namespace bitplane::bench {
namespace {

using namespace kernels;

enum class Output { Sums, Planes };

/// What bounds a family on registers, and how much of it one MAC takes.
struct FamilyPeak {
  std::string_view family, peak, avx2_peak;
  double (*work_per_mac)(Widths);
};
constexpr FamilyPeak kFamilyPeaks[] = {
    {"bitserial", kBitPeak, kBitPeak,
     [](Widths w) { return static_cast<double>(w.weights * w.activations); }},
    {"lut", kLookupPeak, kLookupPeak, [](Widths w) { return static_cast<double>(w.weights); }},
    {"dot", kInt8Peak, kNarrowInt8Peak, [](Widths) { return 1.0; }},
};

void set_peak(const KernelInfo& kernel, Widths widths, bool vector, const ConvShape& shape, Row& row) {
  if (vector) {
    const std::size_t bytes = shape.out_channels * shape.filter_size() * widths.weights / 8;
    row.peak = read_peak_name(bytes);
    row.work = static_cast<double>(bytes);
    return;
  }
  for (const FamilyPeak& peak : kFamilyPeaks) {
    if (peak.family != family_name(kernel.family)) continue;
    row.peak = kernel.isa == Isa::Avx2 ? peak.avx2_peak : peak.peak;
    row.work = row.macs * peak.work_per_mac(widths);
  }
}

/// The ISA levels of the run at which selection by cost takes `kernel`.
std::vector<std::string> chosen_at(const LowBitKernel& kernel, const BitConvSpec& spec,
                                   const Selection& selection) {
  std::vector<std::string> levels;
  for (const IsaInfo& isa : kIsas) {
    if (!selection.wants(isa.isa)) continue;
    const CpuFeatures features = detect_cpu().limited_to(isa.isa);
    if (&select_lowbit({.features = features, .family = {}}, spec) == &kernel) levels.emplace_back(isa.name);
  }
  return levels;
}

struct Prepared {
  std::shared_ptr<LowBitProblem> problem;
  std::unique_ptr<const LowBitConv> conv;
};

RunHere run_to_planes(const std::shared_ptr<Prepared>& p, const EpilogueKernels& epilogues) {
  const RowRange rows{0, p->problem->shape().out_height()};
  const std::size_t plane_bytes = p->problem->out_layout().picture_bytes();
  const Epilogue epilogue = p->problem->to_planes(shared_output(plane_bytes));
  std::byte* scratch = shared_scratch(p->conv->scratch_bytes());
  RunHere run = [=, &epilogues] { p->conv->run(p->problem->input(), rows, epilogues, epilogue, scratch); };
  run();
  p->problem->check_planes({epilogue.out_planes, plane_bytes});
  return run;
}

RunHere run_to_sums(const std::shared_ptr<Prepared>& p, const EpilogueKernels& epilogues) {
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

struct Place {
  std::string group, shape_name;
  ConvShape shape;
  Output output;
};

void add_place(const Place& place, const Selection& selection, std::vector<Case>& cases) {
  for (const Widths widths : kWidths) {
    for (const Basis basis : {Basis::Uniform, Basis::Learned}) {
      const auto problem = std::make_shared<LowBitProblem>(place.shape, widths, basis);
      for (const LowBitKernel* kernel : lowbit_kernels()) {
        const KernelInfo& info = kernel->info;
        if (!selection.wants(info.isa) || !kernel->supports(problem->spec())) continue;
        Row row{.key = {.group = place.group,
                        .shape = place.shape_name,
                        .bits = std::to_string(widths.weights) + "/" + std::to_string(widths.activations),
                        .basis = basis_name(basis),
                        .kernel = std::string(info.name),
                        .isa = std::string(isa_name(info.isa))},
                .macs = static_cast<double>(place.shape.macs())};
        row.bit_operations = row.macs * static_cast<double>(widths.weights * widths.activations);
        row.chosen_at = chosen_at(*kernel, problem->spec(), selection);
        set_peak(info, widths, place.group == "vector", place.shape, row);
        const auto prepare = [problem, kernel, output = place.output]() -> Timed {
          problem->load();
          const auto p = std::make_shared<Prepared>(Prepared{problem, kernel->make(problem->spec())});
          const EpilogueKernels& epilogues = select_epilogue(detect_cpu().limited_to(kernel->info.isa));
          return output == Output::Planes ? run_to_planes(p, epilogues) : run_to_sums(p, epilogues);
        };
        cases.push_back({std::move(row), prepare});
      }
    }
  }
}

}  // namespace

void add_lowbit_cases(const Selection& selection, std::vector<Case>& cases) {
  for (const GemmShape& shape : kGemmShapes) {
    const std::string group = shape.n() == 1 ? "vector" : "gemm";
    if (!selection.wants(group)) continue;
    add_place({group, std::string(shape.name), shape.shape(), Output::Sums}, selection, cases);
  }
  if (!selection.wants("conv")) return;
  for (const ConvLayer& layer : kConvLayers) {
    add_place({"conv", layer_name(layer), layer.shape(), Output::Planes}, selection, cases);
  }
}

}  // namespace bitplane::bench
