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
#include "lowbit_run.h"
#include "peaks.h"
#include "window.h"

namespace bitplane::bench {
namespace {

using namespace kernels;

void set_peak(const KernelInfo& kernel, Widths widths, bool vector, const ConvShape& shape, Row& row) {
  if (vector) {
    const std::size_t bytes = shape.out_channels * shape.filter_size() * widths.weights / 8;
    row.peak = read_peak_name(bytes);
    row.work = static_cast<double>(bytes);
  }
  const FamilyPeak* peak = peak_of(kernel.family);
  if (peak == nullptr) return;
  const OperandBits bits{widths.weights, widths.activations};
  // A product with one pixel is bound by reading the weights or by counting, whichever takes longer.
  (vector ? row.other_peak : row.peak) = peak->peak_on(kernel.isa, bits);
  (vector ? row.other_work : row.work) = row.macs * peak->work_per_mac(bits);
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

void add_place(const LowBitPlace& place, const Selection& selection, std::vector<Case>& cases) {
  for (const Widths widths : kWidths) {
    for (const Basis basis : {Basis::Uniform, Basis::Learned}) {
      const auto problem = std::make_shared<LowBitProblem>(place.shape, widths, basis);
      for (const LowBitKernel* kernel : lowbit_kernels()) {
        const KernelInfo& info = kernel->info;
        if (!selection.wants(info.isa) || !kernel->supports(problem->spec())) continue;
        Row row{.key = {.group = place.group,
                        .shape = place.name,
                        .bits = std::to_string(widths.weights) + "/" + std::to_string(widths.activations),
                        .basis = basis_name(basis),
                        .kernel = std::string(info.name),
                        .isa = std::string(isa_name(info.isa))},
                .macs = useful_macs(place.shape)};
        row.bit_operations = row.macs * static_cast<double>(widths.weights * widths.activations);
        if (place.group == "conv") row.gemm = gemm_of(place.shape);
        row.chosen_at = chosen_at(*kernel, problem->spec(), selection);
        set_peak(info, widths, place.group == "vector", place.shape, row);
        const auto prepare = [problem, kernel, output = place.output]() -> Timed {
          problem->load();
          const auto p = std::make_shared<LowBitRun>(LowBitRun{problem, kernel->make(problem->spec())});
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
  for (const LowBitPlace& place : lowbit_places(selection)) add_place(place, selection, cases);
}

}  // namespace bitplane::bench
