// SPDX-License-Identifier: Apache-2.0
//
// Group f32, weights as codebook indices: the float kernels' rows are what they compete with.
#include <memory>
#include <string>

#include "bitplane/kernels/codebook.h"
#include "bitplane/kernels/registry.h"
#include "case.h"
#include "float_problem.h"
#include "layers.h"
#include "peaks.h"
#include "window.h"

namespace bitplane::bench {
namespace {

using namespace kernels;

struct Codebook {
  std::size_t bits, level_count;  ///< bits as stored
  LevelScope scope;
  std::string_view basis;
};
/// BWN; TWN, TTQ and SLQ at 2 bits; SLQ at 4 bits; LQ-Nets W/32 at 2 and 4 bits; any 5 and 8 bits.
constexpr Codebook kCodebooks[] = {
    {1, 2, LevelScope::Channel, "levels per channel"},
    {2, 3, LevelScope::Layer, "levels"},
    {2, 4, LevelScope::Channel, "levels per channel"},
    {4, 9, LevelScope::Layer, "levels"},
    {4, 16, LevelScope::Channel, "levels per channel"},
    {8, 32, LevelScope::Layer, "levels"},
    {8, 256, LevelScope::Layer, "levels"},
};

/// The float problem's layer with its weights replaced by levels.
struct CodebookProblem {
  std::shared_ptr<FloatProblem> layer;
  Codebook codebook;
  std::vector<float> weights{};  ///< [out][K], dequantized
  CodebookWeights packed{};

  void load() {
    if (!weights.empty()) return;
    layer->load();
    const ConvShape& shape = layer->shape();
    const bool per_channel = codebook.scope == LevelScope::Channel;
    const std::vector<float> levels =
        random_floats(codebook.level_count * (per_channel ? shape.out_channels : 1), 11);
    std::vector<std::uint8_t> indices(shape.out_channels * shape.filter_size());
    for (std::size_t i = 0; i < indices.size(); ++i) {
      indices[i] = static_cast<std::uint8_t>((i * 2654435761U >> 13) % codebook.level_count);
      const std::size_t table = per_channel ? i / shape.filter_size() * codebook.level_count : 0;
      weights.push_back(levels[table + indices[i]]);
    }
    packed = CodebookWeights({.shape = shape,
                              .indices = indices.data(),
                              .levels = levels.data(),
                              .level_count = codebook.level_count,
                              .scope = codebook.scope});
  }
};

Timed prepare(const std::shared_ptr<CodebookProblem>& p, const CodebookKernels& kernels) {
  p->load();
  const ConvShape& shape = p->layer->shape();
  const auto conv = std::make_shared<CodebookConv>(shape);
  auto* z = reinterpret_cast<float*>(shared_output(p->layer->outputs() * sizeof(float)));
  auto* scratch = reinterpret_cast<float*>(shared_scratch(conv->scratch_floats() * sizeof(float)));
  const RowRange rows{0, shape.out_height()};
  RunHere run = [=, &kernels] { conv->forward(kernels, p->layer->x().data(), p->packed, z, rows, scratch); };
  run();
  p->layer->check_exact({z, p->layer->outputs()}, p->weights);
  return run;
}

void add_place(const std::string& name, const ConvShape& shape, const Selection& selection,
               std::vector<Case>& cases) {
  const auto layer = std::make_shared<FloatProblem>(shape);
  for (const Codebook& codebook : kCodebooks) {
    const auto problem = std::make_shared<CodebookProblem>(CodebookProblem{layer, codebook});
    for (const KernelInfo& info : registry()) {
      if (info.family != Family::Codebook || !selection.wants(info.isa)) continue;
      Row row{.key = {.group = "f32",
                      .shape = name,
                      .bits = std::to_string(codebook.bits) + "/32",
                      .basis = std::string(codebook.basis) + ", " + std::to_string(codebook.level_count),
                      .kernel = std::string(info.name),
                      .isa = std::string(isa_name(info.isa))},
              .macs = useful_macs(shape),
              .peak = std::string(kFmaPeak)};
      row.work = row.macs;
      if (shape.out_pixels() == 1) {
        const std::size_t bytes = shape.out_channels * shape.filter_size() * codebook.bits / 8;
        row.peak = read_peak_name(bytes);
        row.work = static_cast<double>(bytes);
      }
      cases.push_back({std::move(row), [problem, isa = info.isa] {
                         return prepare(problem, select_codebook(detect_cpu().limited_to(isa)));
                       }});
    }
  }
}

}  // namespace

void add_codebook_cases(const Selection& selection, std::vector<Case>& cases) {
  if (!selection.wants("f32")) return;
  for (const GemmShape& gemm : kGemmShapes) {
    add_place(std::string(gemm.name), gemm.shape(), selection, cases);
  }
  for (const ConvLayer& layer : kConvLayers) {
    if (layer.net == "ResNet-18" && layer.kernel == 3 && layer.stride == 1)
      add_place(layer_name(layer), layer.shape(), selection, cases);
  }
}

}  // namespace bitplane::bench
