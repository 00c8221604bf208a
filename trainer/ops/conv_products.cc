// SPDX-License-Identifier: Apache-2.0
#include "trainer/ops/conv_products.h"

#include <algorithm>

#include "trainer/tensor/row_loops.h"
#include "trainer/tensor/tensor.h"

namespace bitplane::train {
namespace {

using kernels::ConvShape;
using kernels::F32Panels;
using kernels::F32TrainingConv;
using kernels::kF32PanelWidth;

constexpr std::size_t ceil_div(std::size_t a, std::size_t b) {
  return (a + b - 1) / b;
}

std::size_t panels_of(const F32Panels& panels) {
  return ceil_div(panels.n(), kF32PanelWidth);
}

/// pack(group, panel) for every panel of every group, in parallel.
template <class Pack>
void pack_all(Backend& backend, const std::vector<F32Panels>& groups, const Pack& pack) {
  const std::size_t each = panels_of(groups.front());
  backend.threads().parallel_for(groups.size() * each,
                                 [&](std::size_t i, std::size_t) { pack(i / each, i % each); });
}

/// product(share) over all pictures and panels, in parallel. A share is what one product takes at once; where
/// there are too few of those for the threads, panels are shared out too, which changes no bit.
template <class Product>
void for_shares(Backend& backend, const F32TrainingConv& conv, std::size_t batch, std::size_t panels,
                const Product& product) {
  constexpr std::size_t kSharesPerThread = 4, kPanelsAtOnce = 4;
  const std::size_t at_once = conv.pictures_at_once(), pictures = ceil_div(batch, at_once);
  const std::size_t threads = backend.threads().size();
  const bool few = threads > 1 && pictures < kSharesPerThread * threads;
  const std::size_t width = few ? kPanelsAtOnce : panels, columns = ceil_div(panels, width);
  backend.threads().parallel_for(pictures * columns, [&](std::size_t i, std::size_t) {
    const std::size_t picture = i / columns * at_once, panel = i % columns * width;
    product(F32TrainingConv::Share{.pictures = {picture, std::min(batch, picture + at_once)},
                                   .panels = {panel, std::min(panels, panel + width)}});
  });
}

/// blocks[0] += ... += blocks[count - 1], pairwise: 0+1, 2+3, ... then 0+2, ...
void add_tree(Backend& backend, float* blocks, std::size_t count, std::size_t size) {
  backend.threads().parallel_ranges(size, kFlatGrain, [&](std::size_t begin, std::size_t end, std::size_t) {
    for (std::size_t distance = 1; distance < count; distance *= 2) {
      for (std::size_t b = 0; b + distance < count; b += 2 * distance) {
        float* sum = blocks + b * size + begin;
        backend.elementwise().add(
            {.size = end - begin, .a = sum, .b = blocks + (b + distance) * size + begin, .y = sum});
      }
    }
  });
}

/// to[o][k] = from[k][o], for each group.
void turn_gradient(Backend& backend, const ConvShape& s, const float* from, float* to) {
  constexpr std::size_t kTile = 16;  // floats of a cache line
  const std::size_t k = s.filter_size(), out = s.out_channels / s.groups, strips = ceil_div(out, kTile);
  backend.threads().parallel_for(s.groups * strips, [&](std::size_t i, std::size_t) {
    const std::size_t group = i / strips, first = i % strips * kTile;
    const float* a = from + group * k * out;
    float* b = to + group * out * k;
    for (std::size_t row = 0; row < k; row += kTile) {
      for (std::size_t o = first; o < std::min(out, first + kTile); ++o) {
        for (std::size_t r = row; r < std::min(k, row + kTile); ++r) b[o * k + r] = a[r * out + o];
      }
    }
  });
}

}  // namespace

void combine_gradient_blocks(Backend& backend, const ConvShape& s, float* sums, std::size_t blocks,
                             float* dw) {
  add_tree(backend, sums, blocks, s.filter_size() * s.out_channels);
  turn_gradient(backend, s, sums, dw);
}

void forward_product(Backend& backend, const ConvShape& s, const float* x, const float* weights, float* y) {
  ConvPlan& plan = backend.conv_plan(s);
  const std::size_t k = s.filter_size(), out = s.out_channels / s.groups;
  pack_all(backend, plan.weights, [&](std::size_t group, std::size_t panel) {
    kernels::pack_f32_panel({.data = weights + group * out * k, .step_stride = 1, .column_stride = k}, panel,
                            plan.weights[group]);
  });
  for_shares(backend, plan.conv, s.batch, panels_of(plan.weights[0]),
             [&](const F32TrainingConv::Share& share) {
               plan.conv.forward(backend.f32(), x, plan.weights.data(), y, share);
             });
}

void data_gradient_product(Backend& backend, const ConvShape& s, const float* dy, const float* weights,
                           float* dx) {
  ConvPlan& plan = backend.conv_plan(s);
  pack_all(backend, plan.turned, [&](std::size_t group, std::size_t panel) {
    plan.conv.pack_turned(weights, group, panel, plan.turned[group]);
  });
  for_shares(backend, plan.conv, s.batch, panels_of(plan.turned[0]),
             [&](const F32TrainingConv::Share& share) {
               plan.conv.data_gradient(backend.f32(), dy, plan.turned.data(), dx, share);
             });
}

void weight_gradient_product(Backend& backend, const ConvShape& s, const float* x, const float* dy,
                             float* dw) {
  const F32TrainingConv& conv = backend.conv_plan(s).conv;
  const std::size_t rows = s.filter_size(), size = rows * s.out_channels, threads = backend.threads().size();
  const std::size_t blocks = std::max<std::size_t>(1, ceil_div(s.batch, kConvGradientPictures));
  // Blocks are few: where there are fewer than threads, the rows of dw are shared out, which changes no bit.
  const std::size_t shares = std::min(rows, ceil_div(threads, blocks)), share = ceil_div(rows, shares);
  Tensor partial({blocks, size});
  float* sums = partial.mutable_data();
  backend.threads().parallel_for(blocks * shares, [&](std::size_t i, std::size_t) {
    const std::size_t block = i / shares, first = block * kConvGradientPictures, row = i % shares * share;
    conv.weight_gradient(backend.f32(), x, dy, sums + block * size,
                         {.pictures = {first, std::min(s.batch, first + kConvGradientPictures)},
                          .rows = {std::min(rows, row), std::min(rows, row + share)}});
  });
  combine_gradient_blocks(backend, s, sums, blocks, dw);
}

}  // namespace bitplane::train
