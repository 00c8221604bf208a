// SPDX-License-Identifier: Apache-2.0
//
// A quantized convolution, literally as docs/BITPLANES.md says it, item 3: every pair of a weight plane i and
// an activation plane j is convolved as floats that are 0, 1 or -1, so that
//
//     D_ij = sum over the window of w_i * a_j        is an exact integer as long as K <= 2^24 (checked),
//
// and the D_ij are combined in the order of that page. Padded pixels are zeros: a value of 0, whatever the
// encoding. Where an offset exists, one plane of ones on either side yields S_j, R_i and K over the same
// windows.
//
// Cost: weight planes x activation planes x MACs of the float convolution. It shares the float kernels with
// the engine, and no bit kernel.
#pragma once

#include <cstddef>
#include <vector>

#include "bitplane/kernels/conv_shape.h"
#include "bitplane/kernels/f32.h"
#include "bitplane/model_spec.h"
#include "trainer/evaluation/plane_side.h"

namespace bitplane::train {

class PlaneConv {
 public:
  /// `shape` has batch 1. Throws std::invalid_argument when planes and shape don't fit each other.
  PlaneConv(const kernels::ConvShape& shape, const engine::PlaneWeights& weights,
            const engine::Quantize& input);

  /// Activation planes that run() reads: bits, and one of ones where an offset exists.
  [[nodiscard]] std::size_t input_planes() const noexcept { return input_planes_; }
  [[nodiscard]] std::size_t scratch_floats() const noexcept { return conv_.scratch_floats(); }
  [[nodiscard]] std::size_t product_floats() const noexcept;
  [[nodiscard]] const PlaneSide& weights() const noexcept { return weights_; }
  [[nodiscard]] const PlaneSide& activations() const noexcept { return activations_; }

  struct Buffers {
    const float* planes;  ///< [input_planes()][height][width][channels]
    float* products;      ///< [product_floats()], scratch
    float* scratch;       ///< [scratch_floats()]
    float* z;             ///< out: [out_height][out_width][out_channels]
  };
  void run(const kernels::F32Kernels& kernels, const Buffers& buffers) const;

 private:
  struct Window;  ///< the D_ij of one output pixel and one group
  void combine(const Window& window, std::size_t first_channel, float* z) const;
  void combine_uniform(const Window& window, float* z) const;
  void combine_learned_weights(const Window& window, std::size_t first_channel, float* z) const;
  void combine_learned_activations(const Window& window, float* z) const;
  void combine_learned(const Window& window, std::size_t first_channel, float* z) const;
  void add_weight_offset(const Window& window, std::size_t first_channel, float* z) const;
  void add_activation_offset(const Window& window, std::size_t first_channel, float* z) const;

  PlaneSide weights_, activations_;
  std::size_t pixels_ = 0, groups_ = 1,
              group_channels_ = 0;  ///< group_channels_: output channels of one group
  std::size_t input_planes_ = 0, group_columns_ = 0;
  kernels::F32Conv conv_;
  std::vector<kernels::F32Panels>
      panels_;  ///< per group: columns [weight plane][channel of the group], then ones
};

}  // namespace bitplane::train
