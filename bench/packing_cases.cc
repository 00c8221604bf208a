// SPDX-License-Identifier: Apache-2.0
//
// The steps around a product.
//
//   packing   floats -> thresholds -> codes -> packed planes, of the N x K activations of S1..S7
//   epilogue  what happens to the M x N sums of S1..S5: to floats (with and without a residual), to ranks
//
// Their peak is reading what they read: an epilogue that keeps up with it costs nothing beside the product.
#include <algorithm>
#include <cmath>
#include <memory>
#include <stdexcept>
#include <string>

#include "bitplane/kernels/epilogue.h"
#include "bitplane/kernels/registry.h"
#include "case.h"
#include "layers.h"

namespace bitplane::bench {
namespace {

using namespace kernels;

/// A picture of floats and everything that an epilogue can want.
struct PackingProblem {
  std::size_t side, channels, bits;
  std::vector<float> z{}, residual{}, scale{}, shift{}, thresholds{};
  std::vector<std::uint8_t> code_of_rank{};

  [[nodiscard]] ActivationLayout layout() const {
    return {.height = side, .width = side, .channels = channels, .planes = bits};
  }
  void load() {
    if (!z.empty()) return;
    z = random_floats(side * side * channels, 6);
    residual = random_floats(z.size(), 7);
    scale = random_floats(channels, 8);
    shift = random_floats(channels, 9);
    const std::size_t levels = std::size_t{1} << bits;
    for (std::size_t l = 1; l < levels; ++l)
      thresholds.push_back(2.0F * static_cast<float>(l) / static_cast<float>(levels) - 1.0F);
    for (std::size_t l = 0; l < levels; ++l) code_of_rank.push_back(static_cast<std::uint8_t>(l));
  }
  [[nodiscard]] float value_at(std::size_t at) const {
    return std::fma(z[at], scale[at % channels], shift[at % channels]);
  }
  [[nodiscard]] std::uint8_t rank_at(std::size_t at) const {
    std::uint8_t rank = 0;
    for (const float threshold : thresholds)
      rank = static_cast<std::uint8_t>(rank + (value_at(at) > threshold ? 1 : 0));
    return rank;
  }
};

enum class Step { Planes, Ranks, Floats, FloatsWithResidual };

std::string step_name(Step step) {
  switch (step) {
    case Step::Planes:
      return "to planes";
    case Step::Ranks:
      return "to ranks";
    case Step::Floats:
      return "to floats";
    case Step::FloatsWithResidual:
      return "to floats, residual";
  }
  return {};
}

void require(bool right, std::size_t at) {
  if (!right) throw std::runtime_error("wrong value at " + std::to_string(at));
}

void check(const PackingProblem& p, const Epilogue& epilogue) {
  std::vector<std::uint8_t> codes;
  if (epilogue.kind == EpilogueKind::Planes) {
    codes.resize(p.z.size());
    unpack_codes({epilogue.out_planes, p.layout()}, 1, codes);
  }
  for (const std::size_t at : samples(p.z.size(), 997)) {
    switch (epilogue.kind) {
      case EpilogueKind::Planes:
        require(codes[at] == p.code_of_rank[p.rank_at(at)], at);
        break;
      case EpilogueKind::Ranks:
        require(epilogue.out_ranks[at] == p.rank_at(at), at);
        break;
      case EpilogueKind::Float:
        const float added = epilogue.residual == nullptr ? 0.0F : p.residual[at];
        require(epilogue.out[at] == std::max(p.value_at(at) + added, 0.0F), at);
        break;
    }
  }
}

Epilogue epilogue_of(const PackingProblem& p, Step step) {
  Epilogue epilogue{.affine = {p.scale.data(), p.shift.data()},
                    .activation = Activation::Relu,
                    .ranks = {p.thresholds.data(), p.thresholds.size(), p.code_of_rank.data()},
                    .layout = p.layout()};
  std::byte* out = shared_output(p.z.size() * sizeof(float));
  switch (step) {
    case Step::Planes:
      epilogue.kind = EpilogueKind::Planes;
      epilogue.out_planes = out;
      break;
    case Step::Ranks:
      epilogue.kind = EpilogueKind::Ranks;
      epilogue.out_ranks = reinterpret_cast<std::uint8_t*>(out);
      break;
    case Step::FloatsWithResidual:
      epilogue.residual = p.residual.data();
      [[fallthrough]];
    case Step::Floats:
      epilogue.kind = EpilogueKind::Float;
      epilogue.out = reinterpret_cast<float*>(out);
      break;
  }
  return epilogue;
}

Timed prepare(const std::shared_ptr<PackingProblem>& p, Step step, const EpilogueKernels& kernels) {
  p->load();
  const Epilogue epilogue = epilogue_of(*p, step);
  RunHere run = [=, &kernels] {
    const std::size_t row_floats = p->side * p->channels;
    for (std::size_t row = 0; row < p->side; ++row) {
      kernels.apply(
          epilogue,
          {.z = p->z.data() + row * row_floats, .row = row, .pixels = p->side, .channels = p->channels});
    }
  };
  run();
  check(*p, epilogue);
  return run;
}

struct Place {
  std::string group, shape;
  std::size_t side, channels, bits;
};

void add_step(const Place& place, Step step, const Selection& selection, std::vector<Case>& cases) {
  const auto problem = std::make_shared<PackingProblem>(
      PackingProblem{.side = place.side, .channels = place.channels, .bits = place.bits});
  for (const KernelInfo& info : registry()) {
    if (info.family != Family::Epilogue || !selection.wants(info.isa)) continue;
    const std::size_t read = step == Step::FloatsWithResidual ? 2 : 1;  // z, and what is added to it
    const std::size_t bytes = read * place.side * place.side * place.channels * sizeof(float);
    cases.push_back({{.key = {.group = place.group,
                              .shape = place.shape,
                              .bits = std::to_string(place.bits),
                              .basis = step_name(step),
                              .kernel = std::string(info.name),
                              .isa = std::string(isa_name(info.isa))},
                      .peak = read_peak_name(bytes),
                      .work = static_cast<double>(bytes)},
                     [problem, step, isa = info.isa] {
                       return prepare(problem, step, select_epilogue(detect_cpu().limited_to(isa)));
                     }});
  }
}

}  // namespace

void add_packing_cases(const Selection& selection, std::vector<Case>& cases) {
  for (const GemmShape& gemm : kGemmShapes) {
    const std::string name(gemm.name);
    for (std::size_t bits = 1; bits <= 4; ++bits) {
      if (selection.wants("packing"))
        add_step({"packing", name, gemm.side, gemm.k, bits}, Step::Planes, selection, cases);
      if (selection.wants("epilogue") && gemm.n() > 1)
        add_step({"epilogue", name, gemm.side, gemm.m, bits}, Step::Ranks, selection, cases);
    }
    if (!selection.wants("epilogue") || gemm.n() == 1) continue;
    for (const Step step : {Step::Floats, Step::FloatsWithResidual})
      add_step({"epilogue", name, gemm.side, gemm.m, 1}, step, selection, cases);
  }
}

}  // namespace bitplane::bench
