// SPDX-License-Identifier: Apache-2.0
//
// Family `f32`: the three products of a convolution in a training step, on whole pictures.
//
//   forward           z[pixel][o]  = chain over (kh, kw, c) of x * w
//   data gradient     dx[pixel][c] = chain over (kh, kw, o), filters turned by 180 degrees, of dz * w
//   weight gradient   dw[k][o]     = chain over the pictures' output pixels of x * dz
//
// A chain holds only what lies inside the picture and hits the stride's grid: nothing is padded, spread out
// or copied, and no product with a padding zero is computed (in a 3x3 layer on 8x8 pixels that is every
// sixth). Where no infinity meets such a zero, the bits are those of the chain with the zeros in it.
//
// How: pixels that meet the same taps form a part, which is one gathered product (f32.h) with tables of its
// rows and of its steps. A layer 3x3 with padding 1 has nine parts: inside, four edges, four corners. The
// tables cover some pictures at once where one picture is too small to keep a block of weights busy.
#pragma once

#include <cstddef>
#include <vector>

#include "bitplane/kernels/conv_shape.h"
#include "bitplane/kernels/f32.h"

namespace bitplane::kernels {

/// The tables of one product: its parts lie one after the other.
struct F32ProductTables {
  /// Rows and steps of one picture; the tables go on with those of the other pictures at once.
  struct Part {
    std::size_t first_row, rows;
    std::size_t first_step, steps;
  };
  std::vector<Part> parts;
  std::vector<std::ptrdiff_t> read, written;  ///< offset of each row's first tap, and of its output
  std::vector<GatherStep> steps;
};

class F32TrainingConv {
 public:
  F32TrainingConv() = default;
  /// The batch of `shape` says nothing. Throws std::bad_alloc.
  explicit F32TrainingConv(const ConvShape& shape);

  [[nodiscard]] const ConvShape& shape() const noexcept { return shape_; }
  /// Pictures that one product takes at once: ranges of this many, from a multiple of it, waste nothing.
  [[nodiscard]] std::size_t pictures_at_once() const noexcept { return at_once_; }

  /// What one call computes: some pictures, and of each group's output columns some panels.
  struct Share {
    IndexRange pictures{}, panels{};
  };
  /// x: [batch][h][w][c]; weights: for each group, panels of k = filter_size(), n = out_channels / groups; z:
  /// [batch][out_h][out_w][out_channels].
  void forward(const F32Kernels& kernels, const float* x, const F32Panels* group_weights, float* z,
               const Share& share) const noexcept;
  /// group_weights: as pack_turned() makes them.
  void data_gradient(const F32Kernels& kernels, const float* dz, const F32Panels* group_weights, float* dx,
                     const Share& share) const noexcept;
  /// One group's panels for the data gradient, k = taps() * out_channels / groups, n = channels / groups;
  /// `weights` [out_channels][filter_size()].
  [[nodiscard]] F32Panels turned_panels() const;
  void pack_turned(const float* weights, std::size_t group, std::size_t panel,
                   F32Panels& panels) const noexcept;
  /// What one call computes of a weight gradient: the chain over some pictures, and of each group some rows.
  struct WeightShare {
    IndexRange pictures{}, rows{};
  };
  /// dw: for each group [filter_size()][out_channels / groups]. No pictures: zeros.
  void weight_gradient(const F32Kernels& kernels, const float* x, const float* dz, float* dw,
                       const WeightShare& share) const noexcept;

 private:
  struct Call;
  void run(const F32Kernels& kernels, const F32ProductTables& product, const Call& call,
           const Share& share) const noexcept;

  ConvShape shape_;
  std::size_t at_once_ = 1;
  F32ProductTables forward_, data_, weight_;
};

}  // namespace bitplane::kernels
