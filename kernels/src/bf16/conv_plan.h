// SPDX-License-Identifier: Apache-2.0
//
// What Bf16Conv knows of a shape.
#pragma once

#include <cstddef>

#include "bf16/product.h"
#include "bitplane/kernels/aligned.h"
#include "bitplane/kernels/bf16.h"

namespace bitplane::kernels {

/// Bytes that are read behind a run that is filled up to whole steps of any kernel.
inline constexpr std::size_t kRunSlack = 64;

/// Forward: the left operand is the padded picture as bf16, windows of which consist of kernel rows (taps,
/// where the kernel is dilated).
struct Bf16ForwardPlan {
  Bf16ForwardPlan(const Bf16Kernels& kernels, const ConvShape& shape);

  std::size_t padded_height, padded_width;
  Bf16Runs runs;
  AlignedArray<DotSegment> segments;
  std::size_t segment_count = 0;
  AlignedArray<std::ptrdiff_t> pixel_offset;  ///< [out_h * out_w], bytes
  std::size_t slack, scratch_bytes;
};

/// Weight gradient: the left operand is a group of padded pictures, channel by channel, so that pixels lie
/// side by side; where the stride is not 1, the pixels that a tap meets lie side by side in *planes* of their
/// own:
///
///   [plane row phase][plane column phase][channel][picture][grid row][grid column]
///
/// has the padded pixel (grid row * stride + phase). Runs are output rows of a plane, or the whole plane.
struct Bf16GradientPlan {
  Bf16GradientPlan(const Bf16Kernels& kernels, const ConvShape& shape);

  [[nodiscard]] Bf16Runs runs(const ConvShape& shape, std::size_t pictures) const noexcept;

  std::size_t grid_height, grid_width, phases_h, phases_w;
  std::size_t group;                           ///< pictures of one product, at most
  bool whole_planes;                           ///< a run is a plane
  std::size_t plane_bytes;                     ///< of one channel of a group, zeros behind it included
  AlignedArray<std::ptrdiff_t> filter_offset;  ///< [filter_size()], bytes
  std::size_t slack;
  std::size_t right, segments, run_bytes, rows, scratch_bytes;  ///< places in the scratch behind the planes
};

struct Bf16Conv::Plan {
  Plan(const Bf16Kernels& with, const ConvShape& of)
      : kernels(with), shape(of), forward(with, of), gradient(with, of) {}
  const Bf16Kernels& kernels;
  ConvShape shape;
  Bf16ForwardPlan forward;
  Bf16GradientPlan gradient;
};

}  // namespace bitplane::kernels
