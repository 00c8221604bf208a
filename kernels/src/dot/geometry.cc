// SPDX-License-Identifier: Apache-2.0
#include "dot/geometry.h"

#include <algorithm>
#include <cstdlib>

namespace bitplane::kernels {
namespace {

// Pixels of a strip: enough to expand the weights rarely, few enough for results and picture to stay in the
// second-level cache.
constexpr std::size_t kStripPixels = 192;
constexpr std::size_t kStripResultBytes = 512 * 1024, kStripPictureBytes = 256 * 1024;

std::int64_t largest(ValueRange range, std::int64_t offset) {
  return std::max(std::abs(range.min + offset), std::abs(range.max + offset));
}

bool fits(ValueRange operand, ValueRange values, std::int64_t offset) {
  return values.min + offset >= operand.min && values.max + offset <= operand.max;
}

}  // namespace

ValueRange value_range(Encoding encoding, std::span<const std::int32_t> multiples) noexcept {
  ValueRange range;
  for (const std::int32_t multiple : multiples) {
    if (multiple > 0 || encoding == Encoding::Bipolar) range.max += std::abs(multiple);
    if (multiple < 0 || encoding == Encoding::Bipolar) range.min -= std::abs(multiple);
  }
  return range;
}

const DotFormat* choose_format(const DotKernels& kernels, const DotRanges& ranges) noexcept {
  for (const DotFormat& format : kernels.formats) {
    if (format.element_bytes == 0 || !fits(format.weights, ranges.weights, 0) ||
        !fits(format.activations, ranges.activations, activation_offset(format, ranges.activations)))
      continue;
    if (lane_steps(format, ranges) >= format.least_steps) return &format;
  }
  return nullptr;
}

std::int32_t activation_offset(const DotFormat& format, ValueRange activations) noexcept {
  return fits(format.activations, activations, 0) ? 0 : format.activations.min - activations.min;
}

std::size_t lane_steps(const DotFormat& format, const DotRanges& ranges) noexcept {
  const std::int64_t offset = activation_offset(format, ranges.activations);
  const std::int64_t step = 2 * largest(ranges.weights, 0) * largest(ranges.activations, offset);
  return format.lane_limit == 0 || step == 0 ? SIZE_MAX : static_cast<std::size_t>(format.lane_limit / step);
}

std::size_t DotGeometry::most_registers() const noexcept {
  for (const std::size_t registers : kernels->register_sizes) {
    if (registers * kernels->lanes <= stride()) return registers;
  }
  return 1;
}

std::size_t DotGeometry::strip_rows() const noexcept {
  const std::size_t width = shape.out_width();
  const std::size_t most = std::min(kStripResultBytes / (width * shape.out_channels * sizeof(std::int32_t)),
                                    kStripPictureBytes / (row_bytes() * shape.stride_h));
  return std::max<std::size_t>(1, std::min((kStripPixels + width - 1) / width, most));
}

DotRuns runs_of(const DotGeometry& geometry) noexcept {
  const ConvShape& shape = geometry.shape;
  const bool whole_rows = shape.dilation_w == 1;
  const std::size_t elements = (whole_rows ? shape.kernel_w : 1) * geometry.group_channels();
  const std::size_t unit = geometry.kernels->segment_steps * kStepBytes;
  const std::size_t bytes = (elements * geometry.format->element_bytes + unit - 1) / unit * unit;
  return {whole_rows ? shape.kernel_h : shape.taps(), elements, bytes / kStepBytes};
}

std::size_t run_offset(const DotGeometry& geometry, std::size_t run) noexcept {
  const ConvShape& shape = geometry.shape;
  const std::size_t row = shape.dilation_w == 1 ? run : run / shape.kernel_w;
  const std::size_t column = shape.dilation_w == 1 ? 0 : run % shape.kernel_w;
  return row * shape.dilation_h * geometry.row_bytes() + column * shape.dilation_w * geometry.pixel_bytes();
}

std::size_t chunk_steps(const DotGeometry& geometry, const DotRanges& ranges) noexcept {
  const DotKernels& kernels = *geometry.kernels;
  const std::size_t in_cache = kernels.chunk_bytes / (geometry.most_registers() * kernels.lanes * kStepBytes);
  const std::size_t steps = geometry.format->lane_sums == LaneSums::Widen
                                ? in_cache
                                : std::min(in_cache, lane_steps(*geometry.format, ranges));
  return steps / kernels.segment_steps * kernels.segment_steps;
}

}  // namespace bitplane::kernels
