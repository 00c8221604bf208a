// SPDX-License-Identifier: Apache-2.0
//
// For per-ISA files only: sums, moments, batch normalization's backward pass, flat loops. A column keeps its
// accumulators in registers while it runs down the rows of the block.
#pragma once

#include "bitplane/kernels/elementwise.h"
#include "elementwise/columns.h"

namespace bitplane::kernels {
namespace {

template <class V>
void channel_sums(const ChannelSums& a) noexcept {
  for_columns<V>(a.block.channels, [&](std::size_t c, const auto& column) {
    V sum = V::broadcast(0.0F);
    const float* x = a.x + c;
    for (std::size_t r = 0; r < a.block.rows; ++r, x += a.block.channels) sum = add(sum, column.load(x));
    column.store(a.sum + c, sum);
  });
}

template <class V>
void channel_moments(const ChannelMoments& a) noexcept {
  const V rows = V::broadcast(static_cast<float>(a.block.rows));
  for_columns<V>(a.block.channels, [&](std::size_t c, const auto& column) {
    V sum = V::broadcast(0.0F), m2 = V::broadcast(0.0F);
    const float* x = a.x + c;
    for (std::size_t r = 0; r < a.block.rows; ++r, x += a.block.channels) sum = add(sum, column.load(x));
    const V mean = div(sum, rows);
    x = a.x + c;
    for (std::size_t r = 0; r < a.block.rows; ++r, x += a.block.channels) {
      const V d = sub(column.load(x), mean);
      m2 = fma(d, d, m2);
    }
    column.store(a.mean + c, mean);
    column.store(a.m2 + c, m2);
  });
}

/// e = dy where t passes.
template <class V>
struct PassedGradient {
  V above_bound, upper_bound;

  explicit PassedGradient(PassInterval pass)
      : above_bound(V::broadcast(pass.above)), upper_bound(V::broadcast(pass.up_to)) {}
  V operator()(const V& t, const V& dy) const {
    return select(both(above(t, above_bound), not_above(t, upper_bound)), dy, V::broadcast(0.0F));
  }
};

template <class V>
void mask_gradient(const MaskGradient& a) noexcept {
  const PassedGradient<V> passed(a.pass);
  for_columns<V>(a.size, [&](std::size_t i, const auto& column) {
    column.store(a.dx + i, passed(column.load(a.x + i), column.load(a.dy + i)));
  });
}

template <class V>
void trained_gradient(const TrainedGradient& a) noexcept {
  const V zero = V::broadcast(0.0F), one = V::broadcast(1.0F), slope = V::broadcast(a.slope);
  const V factor = V::broadcast(a.factor), shift = V::broadcast(a.shift);
  const PassedGradient<V> passed(a.pass);
  for_columns<V>(a.block.channels, [&](std::size_t c, const auto& column) {
    V sum_e = zero, sum_trained = zero;
    const float *x = a.x + c, *dy = a.dy + c;
    float* dx = a.dx + c;
    for (std::size_t r = 0; r < a.block.rows; ++r) {
      const V value = column.load(x), gradient = column.load(dy);
      const V e = passed(value, gradient);
      V position = passed(value, fma(value, factor, shift));
      for (std::size_t l = 0; l < a.count; ++l)
        position = add(position, select(above(value, V::broadcast(a.thresholds[l])), one, zero));
      sum_e = add(sum_e, e);
      sum_trained = fma(gradient, position, sum_trained);
      column.store(dx, fma(e, slope, zero));
      x += a.block.channels, dy += a.block.channels, dx += a.block.channels;
    }
    column.store(a.sum_e + c, sum_e);
    column.store(a.sum_trained + c, sum_trained);
  });
}

template <class V>
void norm_sums(const NormSums& a) noexcept {
  const NormBackward& of = a.of;
  const PassedGradient<V> passed(of.pass);
  const std::size_t channels = of.block.channels;
  for_columns<V>(channels, [&](std::size_t c, const auto& column) {
    const V scale = column.load(of.affine.scale + c), shift = column.load(of.affine.shift + c);
    const V mean = column.load(of.mean + c);
    V sum_e = V::broadcast(0.0F), sum_ex = V::broadcast(0.0F);
    const float *x = of.x + c, *dy = of.dy + c;
    for (std::size_t r = 0; r < of.block.rows; ++r, x += channels, dy += channels) {
      const V value = column.load(x);
      const V e = passed(fma(value, scale, shift), column.load(dy));
      sum_e = add(sum_e, e);
      sum_ex = fma(e, sub(value, mean), sum_ex);
    }
    column.store(a.sum_e + c, sum_e);
    column.store(a.sum_ex + c, sum_ex);
  });
}

template <class V>
void norm_gradient(const NormGradient& a) noexcept {
  const NormBackward& of = a.of;
  const PassedGradient<V> passed(of.pass);
  const std::size_t channels = of.block.channels;
  for_columns<V>(channels, [&](std::size_t c, const auto& column) {
    const V scale = column.load(of.affine.scale + c), shift = column.load(of.affine.shift + c);
    const V mean = column.load(of.mean + c);
    const V slope = column.load(a.slope + c), constant = column.load(a.shift + c);
    const float *x = of.x + c, *dy = of.dy + c;
    float* dx = a.dx + c;
    for (std::size_t r = 0; r < of.block.rows; ++r, x += channels, dy += channels, dx += channels) {
      const V value = column.load(x);
      const V e = passed(fma(value, scale, shift), column.load(dy));
      column.store(dx, fma(e, scale, fma(sub(value, mean), slope, constant)));
    }
  });
}

template <class V>
void add_arrays(const AddArrays& a) noexcept {
  for_columns<V>(a.size, [&](std::size_t i, const auto& column) {
    column.store(a.y + i, add(column.load(a.a + i), column.load(a.b + i)));
  });
}

template <class V>
void sgd_step(const SgdStep& a) noexcept {
  const V minus_rate = V::broadcast(-a.rate), momentum = V::broadcast(a.momentum),
          decay = V::broadcast(a.decay);
  const bool ahead = a.rule == Momentum::Nesterov;
  for_columns<V>(a.size, [&](std::size_t i, const auto& column) {
    const V weight = column.load(a.weight + i);
    const V slope = fma(decay, weight, column.load(a.gradient + i));
    const V velocity = fma(momentum, column.load(a.velocity + i), slope);
    column.store(a.velocity + i, velocity);
    column.store(a.weight + i, fma(minus_rate, ahead ? fma(momentum, velocity, slope) : velocity, weight));
  });
}

template <class V>
void adam_step(const AdamStep& a) noexcept {
  const V zero = V::broadcast(0.0F), decay = V::broadcast(a.decay), minus_shrink = V::broadcast(-a.shrink);
  const V beta1 = V::broadcast(a.beta1), rest1 = V::broadcast(1.0F - a.beta1);
  const V beta2 = V::broadcast(a.beta2), rest2 = V::broadcast(1.0F - a.beta2);
  const V minus_rate = V::broadcast(-a.rate), inverse_root = V::broadcast(a.inverse_root);
  const V epsilon = V::broadcast(a.epsilon);
  for_columns<V>(a.size, [&](std::size_t i, const auto& column) {
    const V weight = column.load(a.weight + i);
    const V slope = fma(decay, weight, column.load(a.gradient + i));
    const V mean = fma(beta1, column.load(a.mean + i), fma(rest1, slope, zero));
    const V square = fma(beta2, column.load(a.square + i), fma(fma(rest2, slope, zero), slope, zero));
    const V step = div(mean, fma(root(square), inverse_root, epsilon));
    column.store(a.mean + i, mean);
    column.store(a.square + i, square);
    column.store(a.weight + i, fma(minus_rate, step, fma(minus_shrink, weight, weight)));
  });
}

template <class V>
void blend_arrays(const BlendArrays& a) noexcept {
  const V share = V::broadcast(a.share);
  for_columns<V>(a.size, [&](std::size_t i, const auto& column) {
    const V y = column.load(a.y + i);
    column.store(a.y + i, fma(share, sub(column.load(a.x + i), y), y));
  });
}

}  // namespace
}  // namespace bitplane::kernels
