// SPDX-License-Identifier: Apache-2.0
#include "trainer/ops/batch_norm.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "trainer/autograd/profile.h"
#include "trainer/ops/quantize.h"
#include "trainer/tensor/row_loops.h"

namespace bitplane::train {
namespace {

/// Everything per channel that forward and backward share. Filled once, then read only.
struct Normalization {
  std::vector<float> mean;      ///< as the backward subtracts it
  std::vector<double> inverse;  ///< 1 / sqrt(var + epsilon)
  std::vector<float> g, h;
};

struct Moments {
  std::vector<double> mean, m2;  ///< m2: sum of squared distances from the mean
};

Moments batch_moments(Backend& backend, const Tensor& x) {
  const std::size_t rows = x.shape().rows(), channels = x.shape().back(), blocks = block_count(rows);
  Tensor means({blocks, channels}), squares({blocks, channels});
  float* mean = means.mutable_data();
  float* m2 = squares.mutable_data();
  for_each_block(backend, rows, channels, [&](std::size_t index, std::size_t first, RowBlock block) {
    row_moments(block, x.data() + first * channels, mean + index * channels, m2 + index * channels);
  });
  // Chan, Golub, LeVeque: two sets' moments combine exactly; here one block after the other.
  Moments all{std::vector<double>(channels, 0.0), std::vector<double>(channels, 0.0)};
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

void set_affine(const BatchNormArguments& a, std::span<const double> mean, Normalization& n) {
  for (std::size_t c = 0; c < mean.size(); ++c) {
    const double gamma = a.gamma.defined() ? static_cast<double>(a.gamma.value().data()[c]) : 1.0;
    const double beta = a.beta.defined() ? static_cast<double>(a.beta.value().data()[c]) : 0.0;
    const double g = gamma * n.inverse[c];
    n.mean.push_back(static_cast<float>(mean[c]));
    n.g.push_back(static_cast<float>(g));
    n.h.push_back(static_cast<float>(beta - mean[c] * g));
  }
}

/// Statistics of the batch (which move the running ones) or the running ones, by the context's mode.
Normalization normalize(const Context& ctx, const Tensor& x, const BatchNormArguments& a) {
  const std::size_t channels = x.shape().back();
  const Shape expected{channels};
  expect_shape(a.running_mean->shape(), expected, "running mean of batch norm");
  Normalization n;
  const auto epsilon = static_cast<double>(a.epsilon);
  std::vector<double> mean(channels);
  float* running_mean = a.running_mean->mutable_data();
  float* running_var = a.running_var->mutable_data();
  if (ctx.mode == Mode::Eval) {
    for (std::size_t c = 0; c < channels; ++c) {
      mean[c] = static_cast<double>(running_mean[c]);
      n.inverse.push_back(1.0 / std::sqrt(static_cast<double>(running_var[c]) + epsilon));
    }
  } else {
    const Moments moments = batch_moments(ctx.backend, x);
    const auto count = static_cast<double>(x.shape().rows());
    mean = moments.mean;
    for (std::size_t c = 0; c < channels; ++c) {
      n.inverse.push_back(1.0 / std::sqrt(moments.m2[c] / count + epsilon));
      running_mean[c] = blend(running_mean[c], mean[c], a.momentum);
      running_var[c] = blend(running_var[c], moments.m2[c] / (count > 1 ? count - 1 : 1), a.momentum);
    }
  }
  set_affine(a, mean, n);
  return n;
}

/// With e = dy where it passes: dbeta = sum e, dgamma = sum e * (x - mean) / sigma,
/// dx = g * (e - dbeta / n - (x - mean) / sigma * dgamma / n); in Eval the statistics are constants: dx = g *
/// e.
std::vector<Tensor> norm_backward(Backend& backend, Mode mode, const Tensor& x, const Normalization& n,
                                  RowMap map, Tensor dy) {
  map.g = n.g.data();
  map.h = n.h.data();
  const std::size_t rows = x.shape().rows(), channels = x.shape().back(), blocks = block_count(rows);
  Tensor partial({2, blocks, channels});
  float* sum_e = partial.mutable_data();
  float* sum_ex = sum_e + blocks * channels;
  for_each_block(backend, rows, channels, [&](std::size_t index, std::size_t first, RowBlock block) {
    row_norm_sums(block, map, n.mean.data(), x.data() + first * channels, dy.data() + first * channels,
                  sum_e + index * channels, sum_ex + index * channels);
  });
  Tensor dgamma({channels}), dbeta({channels});
  std::vector<float> slope(channels), shift(channels);
  const auto count = static_cast<double>(rows);
  for (std::size_t c = 0; c < channels; ++c) {
    double e = 0, ex = 0;
    for (std::size_t b = 0; b < blocks; ++b) {
      e += static_cast<double>(sum_e[b * channels + c]);
      ex += static_cast<double>(sum_ex[b * channels + c]);
    }
    dbeta.mutable_data()[c] = static_cast<float>(e);
    dgamma.mutable_data()[c] = static_cast<float>(ex * n.inverse[c]);
    const double g = static_cast<double>(n.g[c]);
    slope[c] = mode == Mode::Eval ? 0.0F : static_cast<float>(-g * n.inverse[c] * n.inverse[c] * ex / count);
    shift[c] = mode == Mode::Eval ? 0.0F : static_cast<float>(-g * e / count);
  }
  Tensor dx = dy.unique() ? std::move(dy) : Tensor(x.shape());
  const float* from = dy.defined() ? dy.data() : dx.data();
  float* to = dx.mutable_data();
  for_each_block(backend, rows, channels, [&](std::size_t, std::size_t first, RowBlock block) {
    const std::size_t at = first * channels;
    row_norm_gradient(block, map, n.mean.data(), slope.data(), shift.data(), x.data() + at, from + at,
                      to + at);
  });
  return {dx, dgamma, dbeta};
}

/// The nodes' inputs: x, and gamma and beta where they exist.
Variable record_norm(const Context& ctx, std::string_view name, const Variable& x,
                     const BatchNormArguments& a, Tensor y, Normalization n, RowMap map,
                     const ThresholdTable& table) {
  std::vector<Variable> inputs{x};
  if (a.gamma.defined()) inputs.push_back(a.gamma);
  if (a.beta.defined()) inputs.push_back(a.beta);
  const bool has_gamma = a.gamma.defined(), has_beta = a.beta.defined(), has_table = map.table != nullptr;
  return record(ctx, name, std::move(y), std::move(inputs),
                [&backend = ctx.backend, mode = ctx.mode, saved_x = x.value(), n = std::move(n), map, table,
                 has_table, has_gamma, has_beta](Tensor dy) {
                  RowMap again = map;
                  again.table = has_table ? &table : nullptr;
                  std::vector<Tensor> all = norm_backward(backend, mode, saved_x, n, again, std::move(dy));
                  std::vector<Tensor> grads{all[0]};
                  if (has_gamma) grads.push_back(all[1]);
                  if (has_beta) grads.push_back(all[2]);
                  return grads;
                });
}

Variable norm_map(const Context& ctx, std::string_view name, const Variable& x, const BatchNormArguments& a,
                  RowMap map, ActivationQuantizer* quantizer) {
  const OpTimer timer(ctx, name);
  const Tensor& input = x.value();
  Normalization n = normalize(ctx, input, a);
  map.g = n.g.data();
  map.h = n.h.data();
  ThresholdTable table;
  if (quantizer != nullptr) {
    table = quantizer->table();
    map.table = &table;
  }
  Tensor y(input.shape());
  if (quantizer != nullptr && ctx.mode == Mode::Train && quantizer->wants_statistics()) {
    quantizer->after_batch(map_rows_counted(ctx.backend, map, input, y));
  } else {
    map_rows(ctx.backend, map, input, y);
  }
  return record_norm(ctx, name, x, a, std::move(y), std::move(n), map, table);
}

}  // namespace

Variable batch_norm(const Context& ctx, const Variable& x, const BatchNormArguments& arguments) {
  return norm_map(ctx, "batch_norm", x, arguments, {}, nullptr);
}

Variable batch_norm_relu(const Context& ctx, const Variable& x, const BatchNormArguments& arguments) {
  return norm_map(ctx, "batch_norm_relu", x, arguments, {.relu = true}, nullptr);
}

Variable batch_norm_relu_quantize(const Context& ctx, const Variable& x, const BatchNormArguments& arguments,
                                  ActivationQuantizer& quantizer) {
  if (ctx.mode == Mode::Train && quantizer.looks_ahead()) {
    return quantize(ctx, batch_norm_relu(ctx, x, arguments), quantizer);
  }
  return norm_map(ctx, "batch_norm_relu_quantize", x, arguments, {.relu = true}, &quantizer);
}

}  // namespace bitplane::train
