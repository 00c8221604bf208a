// SPDX-License-Identifier: Apache-2.0
#include "bf16/conv_plan.h"

#include <algorithm>
#include <bit>
#include <vector>

namespace bitplane::kernels {
namespace {

/// Positions of a weight gradient's group: fewer make sums that are read and written too often.
constexpr std::size_t kGroupPositions = 1024;

constexpr std::size_t round_up_64(std::size_t bytes) {
  return (bytes + 63) / 64 * 64;
}

}  // namespace

Bf16ForwardPlan::Bf16ForwardPlan(const Bf16Kernels& kernels, const ConvShape& s)
    : padded_height(s.height + 2 * s.pad_h),
      padded_width(s.width + 2 * s.pad_w),
      pixel_offset(s.out_height() * s.out_width()) {
  const bool whole_rows = s.dilation_w == 1 || s.kernel_w == 1;
  const std::size_t row_runs = whole_rows ? 1 : s.kernel_w;
  runs = {.count = s.kernel_h * row_runs, .elements = s.filter_size() / (s.kernel_h * row_runs)};
  std::vector<std::size_t> run_bytes;
  for (std::size_t y = 0; y < s.kernel_h; ++y) {
    for (std::size_t x = 0; x < row_runs; ++x) {
      const std::size_t pixel = y * s.dilation_h * padded_width + x * s.dilation_w;
      run_bytes.push_back(pixel * s.channels * kBf16Bytes);
    }
  }
  segments = AlignedArray<DotSegment>(runs.most_segments(kernels));
  segment_count = cut_runs(kernels, runs, run_bytes.data(), segments.data());

  std::size_t i = 0;
  for (std::size_t y = 0; y < s.out_height(); ++y) {
    for (std::size_t x = 0; x < s.out_width(); ++x, ++i) {
      const std::size_t pixel = y * s.stride_h * padded_width + x * s.stride_w;
      pixel_offset[i] = static_cast<std::ptrdiff_t>(pixel * s.channels * kBf16Bytes);
    }
  }
  const std::size_t distance = s.out_width() > 1 ? s.stride_w : s.stride_h * padded_width;
  slack = kernels.slack_rows * distance * s.channels * kBf16Bytes;
  scratch_bytes = round_up_64(padded_height * padded_width * s.channels * kBf16Bytes + kDotSlack + slack);
}

Bf16GradientPlan::Bf16GradientPlan(const Bf16Kernels& kernels, const ConvShape& s)
    : grid_height(s.out_height() + s.dilation_h * (s.kernel_h - 1) / s.stride_h),
      grid_width(s.out_width() + s.dilation_w * (s.kernel_w - 1) / s.stride_w),
      phases_h(std::min(s.stride_h, s.dilation_h * (s.kernel_h - 1) + 1)),
      phases_w(std::min(s.stride_w, s.dilation_w * (s.kernel_w - 1) + 1)),
      filter_offset(s.filter_size()) {
  const std::size_t most = std::max<std::size_t>(1, kGroupPositions / (grid_height * grid_width));
  group = std::bit_floor(std::clamp<std::size_t>(s.batch, 1, most));
  whole_planes = true;
  const std::size_t plane_steps = runs(s, group).steps(kernels);
  whole_planes = false;
  whole_planes = plane_steps <= runs(s, group).steps(kernels);

  plane_bytes = group * grid_height * grid_width * kBf16Bytes + kRunSlack;
  std::size_t i = 0;
  for (std::size_t y = 0; y < s.kernel_h; ++y) {
    for (std::size_t x = 0; x < s.kernel_w; ++x) {
      const std::size_t ty = y * s.dilation_h, tx = x * s.dilation_w;
      const std::size_t phase = ty % s.stride_h * phases_w + tx % s.stride_w;
      const std::size_t position = ty / s.stride_h * grid_width + tx / s.stride_w;
      for (std::size_t c = 0; c < s.channels; ++c, ++i) {
        filter_offset[i] =
            static_cast<std::ptrdiff_t>((phase * s.channels + c) * plane_bytes + position * kBf16Bytes);
      }
    }
  }
  slack = kernels.slack_rows * plane_bytes;
  const Bf16Runs all = runs(s, group);
  right = round_up_64(phases_h * phases_w * s.channels * plane_bytes + kDotSlack + slack);
  segments = right + packed_right_bytes(kernels, all, s.out_channels);
  run_bytes = segments + round_up_64(all.most_segments(kernels) * sizeof(DotSegment));
  rows = run_bytes + round_up_64(all.count * sizeof(std::size_t));
  scratch_bytes = rows + round_up_64(whole_planes ? all.elements * sizeof(const float*) : 0);
}

Bf16Runs Bf16GradientPlan::runs(const ConvShape& s, std::size_t pictures) const noexcept {
  if (!whole_planes) return {.count = pictures * s.out_height(), .elements = s.out_width()};
  const std::size_t last_row = pictures * grid_height - (grid_height - s.out_height()) - 1;
  return {.count = 1, .elements = last_row * grid_width + s.out_width()};
}

}  // namespace bitplane::kernels
