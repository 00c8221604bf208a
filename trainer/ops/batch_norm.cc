// SPDX-License-Identifier: Apache-2.0
#include "trainer/ops/batch_norm.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "trainer/autograd/profile.h"
#include "trainer/ops/quantize.h"
#include "trainer/tensor/row_loops.h"

namespace bitplane::train {
namespace {

/// Everything per channel that forward and backward share. Filled once, then read only.
struct Normalization {
  RecycledVector<float> mean;    ///< as the backward subtracts it
  RecycledVector<double> sigma;  ///< sqrt(var + epsilon)
  RecycledVector<float> scale, shift;

  [[nodiscard]] kernels::ChannelAffine affine() const { return {scale.data(), shift.data()}; }
};

struct Moments {
  RecycledVector<double> mean, m2;  ///< m2: sum of squared distances from the mean
};

Moments batch_moments(Backend& backend, const Tensor& x) {
  const std::size_t rows = x.shape().rows(), channels = x.shape().back(), blocks = block_count(rows);
  Tensor means({blocks, channels}), squares({blocks, channels});
  float* mean = means.mutable_data();
  float* m2 = squares.mutable_data();
  for_each_block(backend, x.shape(), [&](const BlockAt& at) {
    backend.elementwise().channel_moments({.block = at.block,
                                           .x = x.data() + at.offset,
                                           .mean = mean + at.index * channels,
                                           .m2 = m2 + at.index * channels});
  });
  // Chan, Golub, LeVeque: two sets' moments combine exactly; here one block after the other.
  Moments all{RecycledVector<double>(channels, 0.0), RecycledVector<double>(channels, 0.0)};
  double seen = 0;
  for (std::size_t b = 0; b < blocks; ++b) {
    const auto n = static_cast<double>(std::min(kBlockRows, rows - b * kBlockRows));
    for (std::size_t c = 0; c < channels; ++c) {
      const double delta = static_cast<double>(mean[b * channels + c]) - all.mean[c];
      all.mean[c] += delta * n / (seen + n);
      all.m2[c] += static_cast<double>(m2[b * channels + c]) + delta * delta * seen * n / (seen + n);
    }
    seen += n;
  }
  return all;
}

float blend(float old_value, double batch, float momentum) {
  const auto m = static_cast<double>(momentum);
  return static_cast<float>(m * static_cast<double>(old_value) + (1.0 - m) * batch);
}

void set_affine(const BatchNormArguments& a, const RecycledVector<double>& mean, Normalization& n) {
  for (std::size_t c = 0; c < mean.size(); ++c) {
    const double gamma = a.gamma.defined() ? static_cast<double>(a.gamma.value().data()[c]) : 1.0;
    const double beta = a.beta.defined() ? static_cast<double>(a.beta.value().data()[c]) : 0.0;
    const double r = gamma / n.sigma[c];
    n.mean.push_back(static_cast<float>(mean[c]));
    n.scale.push_back(static_cast<float>(r));
    n.shift.push_back(static_cast<float>(beta - mean[c] * r));
  }
}

/// Statistics of the batch (which move the running ones) or the running ones, by the context's mode.
Normalization normalize(const Context& ctx, const Tensor& x, const BatchNormArguments& a) {
  const std::size_t channels = x.shape().back();
  const Shape expected{channels};
  expect_shape(a.running_mean->shape(), expected, "running mean of batch norm");
  Normalization n;
  const auto epsilon = static_cast<double>(a.epsilon);
  RecycledVector<double> mean(channels);
  float* running_mean = a.running_mean->mutable_data();
  float* running_var = a.running_var->mutable_data();
  if (ctx.mode == Mode::Eval) {
    for (std::size_t c = 0; c < channels; ++c) {
      mean[c] = static_cast<double>(running_mean[c]);
      n.sigma.push_back(std::sqrt(static_cast<double>(running_var[c]) + epsilon));
    }
  } else {
    const Moments moments = batch_moments(ctx.backend, x);
    const auto count = static_cast<double>(x.shape().rows());
    mean = moments.mean;
    for (std::size_t c = 0; c < channels; ++c) {
      n.sigma.push_back(std::sqrt(moments.m2[c] / count + epsilon));
      if (count < 2) continue;  // one row (a last batch of one picture) has no variance to learn from
      running_mean[c] = blend(running_mean[c], mean[c], a.momentum);
      running_var[c] = blend(running_var[c], moments.m2[c] / (count - 1), a.momentum);
    }
  }
  set_affine(a, mean, n);
  return n;
}

kernels::NormBackward norm_of_block(kernels::NormBackward whole, const BlockAt& at) {
  whole.block = at.block;
  whole.x += at.offset;
  whole.dy += at.offset;
  return whole;
}

/// Per channel, what the backward pass makes of the sums over the rows.
struct NormGradients {
  Tensor gamma, beta;
  RecycledVector<float> slope, shift;  ///< of x - mean, and constant, in dx
};

/// With e = dy where it passes: dbeta = sum e, dgamma = sum e (x - mean) / sigma.
NormGradients norm_gradients(Backend& backend, Mode mode, const Normalization& n, const Shape& shape,
                             const kernels::NormBackward& whole) {
  const std::size_t channels = shape.back(), blocks = block_count(shape.rows());
  Tensor partial({2, blocks, channels});
  float* sum_e = partial.mutable_data();
  float* sum_ex = sum_e + blocks * channels;
  for_each_block(backend, shape, [&](const BlockAt& at) {
    backend.elementwise().norm_sums({.of = norm_of_block(whole, at),
                                     .sum_e = sum_e + at.index * channels,
                                     .sum_ex = sum_ex + at.index * channels});
  });
  NormGradients g{Tensor({channels}), Tensor({channels}), RecycledVector<float>(channels),
                  RecycledVector<float>(channels)};
  const auto count = static_cast<double>(shape.rows());
  for (std::size_t c = 0; c < channels; ++c) {
    double e = 0, ex = 0;
    for (std::size_t b = 0; b < blocks; ++b) {
      e += static_cast<double>(sum_e[b * channels + c]);
      ex += static_cast<double>(sum_ex[b * channels + c]);
    }
    g.beta.mutable_data()[c] = static_cast<float>(e);
    g.gamma.mutable_data()[c] = static_cast<float>(ex / n.sigma[c]);
    if (mode == Mode::Eval) continue;  // the statistics are constants
    const auto scale = static_cast<double>(n.scale[c]);
    g.slope[c] = static_cast<float>(-scale * ex / (n.sigma[c] * n.sigma[c] * count));
    g.shift[c] = static_cast<float>(-scale * e / count);
  }
  return g;
}

/// What a node of this file keeps for its backward pass.
struct Saved {
  Mode mode;
  Tensor x;
  Normalization n;
  kernels::PassInterval pass;
};

/// {dx, dgamma, dbeta}: dx = scale * (e - dbeta / rows - (x - mean) / sigma * dgamma / rows).
Gradients norm_backward(Backend& backend, const Saved& saved, Tensor dy) {
  const Shape& shape = saved.x.shape();
  const kernels::NormBackward whole{.block = {},
                                    .pass = saved.pass,
                                    .affine = saved.n.affine(),
                                    .mean = saved.n.mean.data(),
                                    .x = saved.x.data(),
                                    .dy = dy.data()};
  const NormGradients g = norm_gradients(backend, saved.mode, saved.n, shape, whole);
  Tensor dx = dy.unique() ? std::move(dy) : Tensor(shape);
  float* to = dx.mutable_data();
  for_each_block(backend, shape, [&](const BlockAt& at) {
    backend.elementwise().norm_gradient({.of = norm_of_block(whole, at),
                                         .slope = g.slope.data(),
                                         .shift = g.shift.data(),
                                         .dx = to + at.offset});
  });
  return {dx, g.gamma, g.beta};
}

/// relu, table and statistics as `map` and `quantizer` say, behind the normalization.
Variable normalize_and_map(const Context& ctx, std::string_view name, const Variable& x,
                           const BatchNormArguments& a, RowMap map, ActivationQuantizer* quantizer) {
  const OpTimer timer(ctx, name);
  const Tensor& input = x.value();
  Saved saved{ctx.mode, input, normalize(ctx, input, a), {}};
  ThresholdTable table;
  if (quantizer != nullptr) {
    table = quantizer->table();
    map.table = &table;
  }
  map.affine = saved.n.affine();
  saved.pass = pass_interval(map);
  Tensor y(input.shape());
  if (quantizer != nullptr && ctx.mode == Mode::Train && quantizer->wants_statistics()) {
    quantizer->after_batch(map_rows_counted(ctx.backend, map, input, y));
  } else {
    map_rows(ctx.backend, map, input, y);
  }
  Variables inputs{x};
  if (a.gamma.defined()) inputs.push_back(a.gamma);
  if (a.beta.defined()) inputs.push_back(a.beta);
  return record(ctx, name, std::move(y), std::move(inputs),
                [&backend = ctx.backend, saved = std::move(saved), has_gamma = a.gamma.defined(),
                 has_beta = a.beta.defined()](Tensor dy) {
                  const Gradients all = norm_backward(backend, saved, std::move(dy));
                  Gradients grads{all[0]};
                  if (has_gamma) grads.push_back(all[1]);
                  if (has_beta) grads.push_back(all[2]);
                  return grads;
                });
}

}  // namespace

Variable batch_norm(const Context& ctx, const Variable& x, const BatchNormArguments& arguments) {
  return normalize_and_map(ctx, "batch_norm", x, arguments, {}, nullptr);
}

Variable batch_norm_relu(const Context& ctx, const Variable& x, const BatchNormArguments& arguments) {
  return normalize_and_map(ctx, "batch_norm_relu", x, arguments, {.activation = kernels::Activation::Relu},
                           nullptr);
}

Variable batch_norm_relu_quantize(const Context& ctx, const Variable& x, const BatchNormArguments& arguments,
                                  ActivationQuantizer& quantizer) {
  if ((ctx.mode == Mode::Train && quantizer.looks_ahead()) || !quantizer.trained().empty()) {
    return quantize(ctx, batch_norm_relu(ctx, x, arguments), quantizer);
  }
  return normalize_and_map(ctx, "batch_norm_relu_quantize", x, arguments,
                           {.activation = kernels::Activation::Relu}, &quantizer);
}

}  // namespace bitplane::train
