// SPDX-License-Identifier: Apache-2.0
//
// Rows of the f32 family, every registered kernel that can run here, with Eigen beside it:
//
//   gemm   y[N][M] = x[N][K] * w[M][K]^T; ours with the weights packed beforehand, as an engine holds them
//   conv   the 3x3 layers with padding 1 behind S1..S4, the padded copy of the picture included
//   train  forward and weight gradient of the small net's 3x3 layers, 4 pictures
//
// Before a row is timed, outputs spread over the whole result are compared with a chain of std::fma, bit for
// bit.
#include <benchmark/benchmark.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "bitplane/kernels/f32.h"
#include "bitplane/kernels/registry.h"
#include "eigen_gemm.h"
#include "gemm_shapes.h"
#include "peaks.h"

namespace bitplane::bench {
namespace {

using namespace kernels;

std::vector<float> random_floats(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<float> values(count);
  for (float& v : values) v = static_cast<float>(random() >> 8) * 0x1p-23F - 1.0F;
  return values;
}

/// `count` indices spread over [0, size).
std::vector<std::size_t> samples(std::size_t size, std::size_t count = 61) {
  std::vector<std::size_t> at;
  for (std::size_t i = 0; i < size; i += size / count + 1) at.push_back(i);
  at.push_back(size - 1);
  return at;
}

void report(benchmark::State& state, std::string_view kernel, Isa isa, double macs) {
  using benchmark::Counter;
  state.counters["GMAC/s"] = Counter(macs * 1e-9, Counter::kIsIterationInvariantRate);
  if (peaks(isa).fma > 0) {
    state.counters["of_peak"] = Counter(macs / peaks(isa).fma, Counter::kIsIterationInvariantRate);
  }
  state.SetLabel(std::string(kernel));
}

const F32Kernels& kernels_of(Isa isa) {
  return select_f32(detect_cpu().limited_to(isa));
}

/// x [N][K], w [M][K].
struct GemmProblem {
  explicit GemmProblem(const GemmShape& s)
      : shape(s), x(random_floats(s.n * s.k, 1)), w(random_floats(s.m * s.k, 2)), y(s.n * s.m, -7.0F) {}

  [[nodiscard]] float expected(std::size_t at) const {
    const float *row = x.data() + at / shape.m * shape.k, *filter = w.data() + at % shape.m * shape.k;
    float sum = 0.0F;
    for (std::size_t t = 0; t < shape.k; ++t) sum = std::fma(row[t], filter[t], sum);
    return sum;
  }
  /// Eigen adds in another order: any order's error is below k * epsilon * sum |x w|.
  [[nodiscard]] double tolerance(std::size_t at) const {
    const float *row = x.data() + at / shape.m * shape.k, *filter = w.data() + at % shape.m * shape.k;
    double magnitude = 0;
    for (std::size_t t = 0; t < shape.k; ++t) magnitude += std::abs(static_cast<double>(row[t]) * filter[t]);
    return static_cast<double>(shape.k) * std::numeric_limits<float>::epsilon() * magnitude;
  }

  GemmShape shape;
  std::vector<float> x, w, y;
};

void run_gemm(benchmark::State& state, const GemmShape& shape, Isa isa) {
  GemmProblem problem(shape);
  F32Panels weights(shape.k, shape.m);
  pack_f32_panels(problem.w.data(), 1, shape.k, weights);
  std::vector<std::ptrdiff_t> rows(shape.n), steps(shape.k);
  for (std::size_t r = 0; r < shape.n; ++r) rows[r] = static_cast<std::ptrdiff_t>(r * shape.k);
  for (std::size_t t = 0; t < shape.k; ++t) steps[t] = static_cast<std::ptrdiff_t>(t);
  const GatherGemm gemm{.a = problem.x.data(),
                        .row_offset = rows.data(),
                        .rows = shape.n,
                        .step_offset = steps.data(),
                        .steps = shape.k,
                        .b = weights.data(),
                        .b_row_stride = kF32PanelWidth,
                        .b_panel_stride = shape.k * kF32PanelWidth,
                        .columns = shape.m,
                        .c = problem.y.data(),
                        .c_row_stride = shape.m};
  const F32Kernels& kernels = kernels_of(isa);
  kernels.gather_gemm(gemm);
  for (const std::size_t at : samples(problem.y.size())) {
    if (problem.y[at] != problem.expected(at)) return state.SkipWithError("wrong answer");
  }
  for (auto _ : state) {
    kernels.gather_gemm(gemm);
    benchmark::ClobberMemory();
  }
  report(state, kernels.name, isa, shape.macs());
}

void run_eigen(benchmark::State& state, const GemmShape& shape) {
  GemmProblem problem(shape);
  const auto run = [&] {
    eigen_gemm(shape.n, shape.m, shape.k, problem.x.data(), problem.w.data(), problem.y.data());
  };
  run();
  for (const std::size_t at : samples(problem.y.size())) {
    const double error = std::abs(static_cast<double>(problem.y[at]) - problem.expected(at));
    if (!(error <= problem.tolerance(at))) return state.SkipWithError("wrong answer");
  }
  for (auto _ : state) {
    run();
    benchmark::ClobberMemory();
  }
  report(state, "Eigen: " + std::string(eigen_description()), detect_cpu().best(), shape.macs());
}

/// A 3x3 layer with padding 1 on square pictures.
struct ConvProblem {
  explicit ConvProblem(const ConvShape& s)
      : shape(s),
        conv(s),
        x(random_floats(s.batch * s.height * s.width * s.channels, 3)),
        w(random_floats(s.out_channels * s.filter_size(), 4)),
        dz(random_floats(s.out_pixels() * s.out_channels, 5)),
        z(dz.size(), -7.0F),
        dw(w.size(), -7.0F),
        scratch(conv.scratch_floats()) {}

  [[nodiscard]] float input(std::size_t pixel, std::size_t k) const {
    const std::size_t tap = k / shape.channels;
    const std::size_t row = pixel / shape.width % shape.height + tap / 3,
                      column = pixel % shape.width + tap % 3;
    if (row < 1 || column < 1 || row > shape.height || column > shape.width) return 0.0F;
    const std::size_t picture = pixel / shape.width / shape.height;
    return x[((picture * shape.height + row - 1) * shape.width + column - 1) * shape.channels +
             k % shape.channels];
  }
  [[nodiscard]] float expected_z(std::size_t at) const {
    const std::size_t pixel = at / shape.out_channels, o = at % shape.out_channels;
    float sum = 0.0F;
    for (std::size_t k = 0; k < shape.filter_size(); ++k) {
      sum = std::fma(input(pixel, k), w[o * shape.filter_size() + k], sum);
    }
    return sum;
  }
  [[nodiscard]] float expected_dw(std::size_t at) const {
    const std::size_t k = at / shape.out_channels, o = at % shape.out_channels;
    float sum = 0.0F;
    for (std::size_t p = 0; p < shape.out_pixels(); ++p)
      sum = std::fma(input(p, k), dz[p * shape.out_channels + o], sum);
    return sum;
  }

  ConvShape shape;
  F32Conv conv;
  std::vector<float> x, w, dz, z, dw;
  AlignedArray<float> scratch;
};

ConvShape conv_shape(std::size_t batch, std::size_t side, std::size_t channels, std::size_t out_channels) {
  return {.batch = batch,
          .height = side,
          .width = side,
          .channels = channels,
          .out_channels = out_channels,
          .kernel_h = 3,
          .kernel_w = 3,
          .pad_h = 1,
          .pad_w = 1};
}

void run_forward(benchmark::State& state, const ConvShape& shape, Isa isa) {
  ConvProblem p(shape);
  F32Panels weights(shape.filter_size(), shape.out_channels);
  pack_f32_panels(p.w.data(), 1, shape.filter_size(), weights);
  const F32Kernels& kernels = kernels_of(isa);
  const auto run = [&] {
    p.conv.forward(kernels, p.x.data(), &weights, p.z.data(), {0, shape.batch * shape.out_height()},
                   p.scratch.data());
  };
  run();
  for (const std::size_t at : samples(p.z.size())) {
    if (p.z[at] != p.expected_z(at)) return state.SkipWithError("wrong answer");
  }
  for (auto _ : state) {
    run();
    benchmark::ClobberMemory();
  }
  report(state, kernels.name, isa, static_cast<double>(shape.macs()));
}

void run_weight_gradient(benchmark::State& state, const ConvShape& shape, Isa isa) {
  ConvProblem p(shape);
  const F32Kernels& kernels = kernels_of(isa);
  const auto run = [&] {
    p.conv.weight_gradient(kernels, p.x.data(), p.dz.data(), p.dw.data(), 0, shape.batch,
                           Accumulate::Overwrite, p.scratch.data());
  };
  run();
  for (const std::size_t at : samples(p.dw.size())) {
    if (p.dw[at] != p.expected_dw(at)) return state.SkipWithError("wrong answer");
  }
  for (auto _ : state) {
    run();
    benchmark::ClobberMemory();
  }
  report(state, kernels.name, isa, static_cast<double>(shape.macs()));
}

/// Layers of the small net that the trainer's quick start trains.
struct TrainShape {
  std::string_view name;
  std::size_t side, channels, out_channels;
};
constexpr TrainShape kTrainShapes[] = {{"28x28x1_16", 28, 1, 16},
                                       {"28x28x16_32", 28, 16, 32},
                                       {"14x14x32_64", 14, 32, 64},
                                       {"7x7x64_64", 7, 64, 64},
                                       {"7x7x64_128", 7, 64, 128}};

template <class Run>
void add_row(const std::string& name, Run run) {
  benchmark::RegisterBenchmark(name.c_str(), run)->Unit(benchmark::kMicrosecond);
}

void register_kernel(const KernelInfo& info) {
  const std::string prefix = "f32/" + std::string(isa_name(info.isa));
  const Isa isa = info.isa;
  for (const GemmShape& shape : kGemmShapes) {
    const std::string name(shape.name);
    add_row(prefix + "/gemm/" + name, [shape, isa](benchmark::State& state) { run_gemm(state, shape, isa); });
    if (!shape.where.starts_with("ResNet")) continue;
    const auto side = static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(shape.n))));
    const ConvShape conv = conv_shape(1, side, shape.k / 9, shape.m);
    add_row(prefix + "/conv/" + name,
            [conv, isa](benchmark::State& state) { run_forward(state, conv, isa); });
  }
  for (const TrainShape& shape : kTrainShapes) {
    const ConvShape conv = conv_shape(4, shape.side, shape.channels, shape.out_channels);
    const std::string name = prefix + "/train/" + std::string(shape.name);
    add_row(name + "/forward", [conv, isa](benchmark::State& state) { run_forward(state, conv, isa); });
    add_row(name + "/weight_gradient",
            [conv, isa](benchmark::State& state) { run_weight_gradient(state, conv, isa); });
  }
}

bool register_all() {
  for (const KernelInfo& info : registry()) {
    if (info.family == Family::F32 && detect_cpu().has(info.isa)) register_kernel(info);
  }
  for (const GemmShape& shape : kGemmShapes) {
    add_row("eigen/gemm/" + std::string(shape.name),
            [shape](benchmark::State& state) { run_eigen(state, shape); });
  }
  return true;
}

[[maybe_unused]] const bool kRegistered = register_all();

}  // namespace
}  // namespace bitplane::bench
