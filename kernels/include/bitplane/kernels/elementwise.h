// SPDX-License-Identifier: Apache-2.0
//
// The trainer's loops over float tensors that are neither a product nor a convolution. A tensor NHWC is seen
// as rows (pixels) of channels, or flat.
//
// Normative arithmetic: what belongs to one channel is computed with the operations that its comment names,
// in row order; vectors run over channels (or flat elements), never over rows. Hence the same bits on every
// ISA. `chain` starts from +0 and runs over the rows of the block that was passed: the caller fixes the block
// size and combines blocks in a fixed order, so the bits don't depend on the number of threads either.
// Nothing is allocated; nothing need be aligned. Outputs may be the inputs where a comment says so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

#include "bitplane/kernels/epilogue.h"
#include "bitplane/kernels/isa.h"
#include "bitplane/kernels/pooling.h"

namespace bitplane::kernels {

/// `rows` rows of `channels` floats, dense.
struct RowBlock {
  std::size_t rows = 0, channels = 0;
};

/// sum[c] = chain of x.
struct ChannelSums {
  RowBlock block{};
  const float* x = nullptr;
  float* sum = nullptr;  ///< [channels]
};

/// mean[c] = (chain of x) / float(rows); m2[c] = chain of fma(d, d, m2), d = x - mean[c]. rows > 0.
/// Moments of blocks combine exactly (Chan, Golub, LeVeque 1983).
struct ChannelMoments {
  RowBlock block{};
  const float* x = nullptr;
  float* mean = nullptr;  ///< [channels]
  float* m2 = nullptr;    ///< [channels]
};

/// A quantizer as a table: value(x) = levels[rank], rank = #{l : x > thresholds[l]}. Thresholds ascend.
struct LevelTable {
  const float* thresholds = nullptr;  ///< [count]
  const float* levels = nullptr;      ///< [count + 1], by rank
  std::size_t count = 0;              ///< at most 255; 0: no quantizer
};

/// t = fma(x, scale[c], shift[c]) (x itself where scale is null); then t > 0 ? t : +0 for Relu; y = t, or its
/// level where there is a table. y may be x.
///
/// Statistics, for least squares over the codes (any per-rank count or sum is a difference of two of these):
/// entry 0 of above_count and above_sum is the number of rows and the chain of all t, entry l + 1 the number
/// of those above threshold l and their chain (one that is not above adds +0). Counts are floats: rows <
/// 2^24.
struct MapRows {
  RowBlock block{};
  const float* x = nullptr;
  float* y = nullptr;
  ChannelAffine affine{};
  Activation activation = Activation::None;
  LevelTable table{};
  std::uint8_t* ranks = nullptr;  ///< [rows][channels] or null; needs a table
  float* above_count = nullptr;   ///< [count + 1][channels] or null; needs a table
  float* above_sum = nullptr;     ///< [count + 1][channels]; with above_count
};

/// Where a gradient passes: above < t <= up_to. The default passes every finite t.
struct PassInterval {
  float above = -std::numeric_limits<float>::infinity();
  float up_to = std::numeric_limits<float>::infinity();
};

/// dx = dy where x passes, else +0. dx may be dy.
struct MaskGradient {
  std::size_t size = 0;
  PassInterval pass{};
  const float* x = nullptr;
  const float* dy = nullptr;
  float* dx = nullptr;
};

/// Backward of a quantizer with trained parameters; e = dy where x passes, else +0. dx = fma(e, slope, +0),
/// and may be dy. sum_e[c] = chain of e; sum_trained[c] = chain of fma(dy, p, sum_trained): p starts at
/// fma(x, factor, shift) where x passes, else +0, and one is added for each threshold below x, in their
/// order.
struct TrainedGradient {
  RowBlock block{};
  PassInterval pass{};
  float slope = 1.0F, factor = 0.0F, shift = 0.0F;
  const float* thresholds = nullptr;  ///< [count]
  std::size_t count = 0;
  const float* x = nullptr;
  const float* dy = nullptr;
  float* dx = nullptr;
  float* sum_e = nullptr;        ///< [channels]
  float* sum_trained = nullptr;  ///< [channels]
};

/// Backward of y = f(t), t = fma(x, scale, shift), with e = dy where t passes, else +0.
struct NormBackward {
  RowBlock block{};
  PassInterval pass{};
  ChannelAffine affine{};
  const float* mean = nullptr;  ///< [channels]
  const float* x = nullptr;
  const float* dy = nullptr;
};

/// sum_e[c] = chain of e; sum_ex[c] = chain of fma(e, x - mean[c], sum_ex).
struct NormSums {
  NormBackward of{};
  float* sum_e = nullptr;   ///< [channels]
  float* sum_ex = nullptr;  ///< [channels]
};

/// dx = fma(e, scale[c], fma(x - mean[c], slope[c], shift[c])). dx may be dy.
struct NormGradient {
  NormBackward of{};
  const float* slope = nullptr;  ///< [channels]
  const float* shift = nullptr;  ///< [channels]
  float* dx = nullptr;
};

/// y = a + b. y may be a or b.
struct AddArrays {
  std::size_t size = 0;
  const float* a = nullptr;
  const float* b = nullptr;
  float* y = nullptr;
};

/// What a step of gradient descent with momentum follows: the velocity, or (Nesterov, as Sutskever et al.
/// 2013 rewrite it) the velocity as it will be one step ahead.
enum class Momentum : std::uint8_t { Classic, Nesterov };

/// slope = fma(decay, weight, gradient); velocity = fma(momentum, velocity, slope);
/// Classic: weight = fma(-rate, velocity, weight); Nesterov: weight = fma(-rate, fma(momentum, velocity,
/// slope), weight) with the new velocity.
struct SgdStep {
  std::size_t size = 0;
  float rate = 0.0F, momentum = 0.0F, decay = 0.0F;
  Momentum rule = Momentum::Classic;
  const float* gradient = nullptr;
  float* velocity = nullptr;
  float* weight = nullptr;
};

/// Kingma & Ba (2015); decoupled decay after Loshchilov & Hutter (2019). Products of two are fma(a, b, +0).
/// slope = fma(decay, weight, gradient); mean = fma(beta1, mean, (1 - beta1) * slope);
/// square = fma(beta2, square, (1 - beta2) * slope * slope);
/// weight = fma(-rate, mean / fma(sqrt(square), inverse_root, epsilon), fma(-shrink, weight, weight)).
struct AdamStep {
  std::size_t size = 0;
  float rate = 0.0F;  ///< learning rate / (1 - beta1^t)
  float beta1 = 0.0F, beta2 = 0.0F, epsilon = 0.0F;
  float inverse_root = 1.0F;  ///< 1 / sqrt(1 - beta2^t)
  float decay = 0.0F;         ///< added to the gradient
  float shrink = 0.0F;        ///< decoupled: learning rate * decay
  const float* gradient = nullptr;
  float* mean = nullptr;
  float* square = nullptr;  ///< never negative
  float* weight = nullptr;
};

/// y = fma(share, x - y, y): an exponential moving average.
struct BlendArrays {
  std::size_t size = 0;
  float share = 0.0F;
  const float* x = nullptr;
  float* y = nullptr;
};

/// Maximum over the part of each window inside the picture; argmax is the tap (row * kernel_w + column) of
/// the first maximum in row-major order, windows of up to 255 taps. Every window holds at least one pixel.
struct MaxPool {
  PoolShape shape{};
  const float* x = nullptr;
  float* y = nullptr;
  std::uint8_t* argmax = nullptr;  ///< as y
};

/// dx = the sum of dy over the windows whose maximum it was: a chain in row-major order of the windows.
struct MaxPoolGradient {
  PoolShape shape{};
  const float* dy = nullptr;
  const std::uint8_t* argmax = nullptr;
  float* dx = nullptr;
};

/// One ISA's loops.
struct ElementwiseKernels {
  std::string_view name;
  Isa isa;
  void (*channel_sums)(const ChannelSums&) noexcept;
  void (*channel_moments)(const ChannelMoments&) noexcept;
  void (*map_rows)(const MapRows&) noexcept;
  void (*mask_gradient)(const MaskGradient&) noexcept;
  void (*trained_gradient)(const TrainedGradient&) noexcept;
  void (*norm_sums)(const NormSums&) noexcept;
  void (*norm_gradient)(const NormGradient&) noexcept;
  void (*add)(const AddArrays&) noexcept;
  void (*sgd_step)(const SgdStep&) noexcept;
  void (*adam_step)(const AdamStep&) noexcept;
  void (*blend)(const BlendArrays&) noexcept;
  void (*max_pool)(const MaxPool&) noexcept;
  void (*max_pool_gradient)(const MaxPoolGradient&) noexcept;
};

/// The loops for the best ISA in `features`. Pure.
[[nodiscard]] const ElementwiseKernels& select_elementwise(CpuFeatures features) noexcept;

}  // namespace bitplane::kernels
