// SPDX-License-Identifier: Apache-2.0
//
// Group f32: every registered kernel of the family, with Eigen beside it.
//
//   S1..S7          y[N][M] = x[N][K] * w[M][K]^T; the weights packed beforehand, as an engine holds them
//   layers          forward convolution, the padded copy of the picture included
//   train layers    the three products of a training step as the trainer runs them, some pictures at once;
//                   their weights packed beforehand, too
#include <algorithm>
#include <memory>
#include <string>

#include "bitplane/kernels/f32.h"
#include "bitplane/kernels/f32_training.h"
#include "bitplane/kernels/registry.h"
#include "case.h"
#include "eigen_gemm.h"
#include "float_problem.h"
#include "layers.h"
#include "peaks.h"
#include "window.h"

namespace bitplane::bench {
namespace {

using namespace kernels;

const F32Kernels& kernels_of(Isa isa) {
  return select_f32(detect_cpu().limited_to(isa));
}

struct FloatConv {
  std::shared_ptr<FloatProblem> problem;
  F32Conv conv;
  F32Panels weights;
};

std::shared_ptr<FloatConv> load_conv(const std::shared_ptr<FloatProblem>& problem) {
  problem->load();
  const ConvShape& shape = problem->shape();
  auto p = std::make_shared<FloatConv>(
      FloatConv{problem, F32Conv(shape), F32Panels(shape.filter_size(), shape.out_channels)});
  pack_f32_panels(problem->w().data(), 1, shape.filter_size(), p->weights);
  return p;
}

Timed prepare_forward(const std::shared_ptr<FloatProblem>& problem, const F32Kernels& kernels) {
  const auto p = load_conv(problem);
  const ConvShape& shape = problem->shape();
  auto* z = reinterpret_cast<float*>(shared_output(problem->outputs() * sizeof(float)));
  auto* scratch = reinterpret_cast<float*>(shared_scratch(p->conv.scratch_floats() * sizeof(float)));
  const RowRange rows{0, shape.batch * shape.out_height()};
  RunHere run = [=, &kernels] {
    p->conv.forward(kernels, p->problem->x().data(), &p->weights, z, rows, scratch);
  };
  run();
  problem->check_exact({z, problem->outputs()});
  return run;
}

/// product(share) for as many pictures as one product takes at once, and all panels of `columns` columns.
template <class Product>
void for_shares(const F32TrainingConv& conv, std::size_t batch, std::size_t columns, const Product& product) {
  const std::size_t panels = (columns + kF32PanelWidth - 1) / kF32PanelWidth, step = conv.pictures_at_once();
  for (std::size_t picture = 0; picture < batch; picture += step)
    product(F32TrainingConv::Share{.pictures = {picture, std::min(batch, picture + step)},
                                   .panels = {0, panels}});
}

struct TrainingConv {
  std::shared_ptr<FloatProblem> problem;
  F32TrainingConv conv;
  F32Panels weights;
};

Timed prepare_training_forward(const std::shared_ptr<FloatProblem>& problem, const F32Kernels& kernels) {
  problem->load();
  const ConvShape& shape = problem->shape();
  const auto p = std::make_shared<TrainingConv>(
      TrainingConv{problem, F32TrainingConv(shape), F32Panels(shape.filter_size(), shape.out_channels)});
  pack_f32_panels(problem->w().data(), 1, shape.filter_size(), p->weights);
  auto* z = reinterpret_cast<float*>(shared_output(problem->outputs() * sizeof(float)));
  RunHere run = [=, &kernels] {
    for_shares(p->conv, shape.batch, shape.out_channels, [&](const F32TrainingConv::Share& share) {
      p->conv.forward(kernels, p->problem->x().data(), &p->weights, z, share);
    });
  };
  run();
  problem->check_exact({z, problem->outputs()});
  return run;
}

Timed prepare_data_gradient(const std::shared_ptr<FloatProblem>& problem, const F32Kernels& kernels) {
  problem->load();
  const ConvShape& shape = problem->shape();
  const F32TrainingConv conv(shape);
  const auto p = std::make_shared<TrainingConv>(TrainingConv{problem, conv, conv.turned_panels()});
  for (std::size_t panel = 0; panel * kF32PanelWidth < shape.channels; ++panel)
    conv.pack_turned(problem->w().data(), 0, panel, p->weights);
  const std::size_t size = problem->x().size();
  auto* dx = reinterpret_cast<float*>(shared_output(size * sizeof(float)));
  RunHere run = [=, &kernels] {
    for_shares(p->conv, shape.batch, shape.channels, [&](const F32TrainingConv::Share& share) {
      p->conv.data_gradient(kernels, p->problem->dz().data(), &p->weights, dx, share);
    });
  };
  run();
  problem->check_data_gradient({dx, size});
  return run;
}

Timed prepare_weight_gradient(const std::shared_ptr<FloatProblem>& problem, const F32Kernels& kernels) {
  problem->load();
  const auto conv = std::make_shared<F32TrainingConv>(problem->shape());
  const std::size_t size = problem->w().size();
  auto* dw = reinterpret_cast<float*>(shared_output(size * sizeof(float)));
  const F32TrainingConv::WeightShare all{{0, problem->shape().batch}, {0, problem->shape().filter_size()}};
  RunHere run = [=, &kernels] {
    conv->weight_gradient(kernels, problem->x().data(), problem->dz().data(), dw, all);
  };
  run();
  problem->check_weight_gradient({dw, size});
  return run;
}

Timed prepare_eigen(const std::shared_ptr<FloatProblem>& problem) {
  problem->load();
  const ConvShape& shape = problem->shape();
  auto* y = reinterpret_cast<float*>(shared_output(problem->outputs() * sizeof(float)));
  RunHere run = [=] {
    eigen_gemm(shape.out_pixels(), shape.out_channels, shape.channels, problem->x().data(),
               problem->w().data(), y);
  };
  run();
  problem->check_near({y, problem->outputs()});
  return run;
}

/// The row of a float kernel. Matrix-vector products are bound by reading the weights.
Row float_row(const std::string& name, const ConvShape& shape, std::string kernel, Isa isa) {
  Row row{.key = {.group = "f32",
                  .shape = name,
                  .bits = "32/32",
                  .basis = "float",
                  .kernel = std::move(kernel),
                  .isa = std::string(isa_name(isa))},
          .macs = useful_macs(shape),
          .peak = std::string(kFmaPeak)};
  row.work = row.macs;
  if (shape.out_pixels() == 1) {
    const std::size_t bytes = shape.out_channels * shape.filter_size() * sizeof(float);
    row.peak = read_peak_name(bytes);
    row.work = static_cast<double>(bytes);
  }
  return row;
}

struct Place {
  std::string name;
  ConvShape shape;
};

void add_forward(const Place& place, const Selection& selection, std::vector<Case>& cases) {
  const auto problem = std::make_shared<FloatProblem>(place.shape);
  for (const KernelInfo& info : registry()) {
    if (info.family != Family::F32 || !selection.wants(info.isa)) continue;
    cases.push_back({float_row(place.name, place.shape, std::string(info.name), info.isa),
                     [problem, isa = info.isa] { return prepare_forward(problem, kernels_of(isa)); }});
  }
}

void add_training(const ConvLayer& layer, const Selection& selection, std::vector<Case>& cases) {
  ConvShape shape = layer.shape();
  shape.batch = kTrainPictures;
  const auto problem = std::make_shared<FloatProblem>(shape);
  for (const KernelInfo& info : registry()) {
    if (info.family != Family::F32 || !selection.wants(info.isa)) continue;
    const std::string name = train_layer_name(layer), kernel(info.name);
    cases.push_back({float_row(name + " forward", shape, kernel, info.isa), [problem, isa = info.isa] {
                       return prepare_training_forward(problem, kernels_of(isa));
                     }});
    if (layer.channels > 1) {  // nobody asks for the gradient of the picture
      cases.push_back(
          {float_row(name + " data gradient", shape, kernel, info.isa),
           [problem, isa = info.isa] { return prepare_data_gradient(problem, kernels_of(isa)); }});
    }
    cases.push_back(
        {float_row(name + " weight gradient", shape, kernel, info.isa),
         [problem, isa = info.isa] { return prepare_weight_gradient(problem, kernels_of(isa)); }});
  }
}

/// Eigen was compiled for the machine that built the benchmark: its rows stand beside our best level that
/// uses the same vectors.
Isa eigen_isa() {
  const bool wide = eigen_description().find("AVX512") != std::string_view::npos;
  const Isa level = wide ? Isa::Avx512 : Isa::Avx2;
  return detect_cpu().has(level) ? level : detect_cpu().best();
}

}  // namespace

void add_float_cases(const Selection& selection, std::vector<Case>& cases) {
  if (!selection.wants("f32")) return;
  for (const GemmShape& gemm : kGemmShapes) {
    const Place place{std::string(gemm.name), gemm.shape()};
    add_forward(place, selection, cases);
    if (!selection.wants(eigen_isa())) continue;
    const auto problem = std::make_shared<FloatProblem>(gemm.shape());
    cases.push_back({float_row(place.name, place.shape, "Eigen", eigen_isa()),
                     [problem] { return prepare_eigen(problem); }});
  }
  for (const ConvLayer& layer : kConvLayers) {
    add_forward({layer_name(layer), layer.shape()}, selection, cases);
  }
  for (const ConvLayer& layer : kTrainLayers) add_training(layer, selection, cases);
}

}  // namespace bitplane::bench
