// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cassert>
#include <cstring>

#include "bf16/conv_plan.h"

namespace bitplane::kernels {
namespace {

/// Rounds the rows of `picture` that output rows [first, last) read to their places in `padded`, and zeroes
/// the border that belongs to them and what a filled-up run reads behind them.
void round_padded(const Bf16Kernels& kernels, const ConvShape& s, const float* picture, RowRange rows,
                  std::byte* padded) {
  const std::size_t row_elements = s.width * s.channels, border = s.pad_w * s.channels * kBf16Bytes;
  const std::size_t row_bytes = row_elements * kBf16Bytes + 2 * border;
  const std::size_t end = (rows.end - 1) * s.stride_h + s.dilation_h * (s.kernel_h - 1) + 1;
  std::byte* to = padded + rows.begin * s.stride_h * row_bytes;
  for (std::size_t y = rows.begin * s.stride_h; y < end; ++y, to += row_bytes) {
    if (y < s.pad_h || y >= s.pad_h + s.height) {
      std::memset(to, 0, row_bytes);
      continue;
    }
    std::memset(to, 0, border);
    kernels.round_row(picture + (y - s.pad_h) * row_elements, row_elements,
                      reinterpret_cast<std::uint16_t*>(to + border));
    std::memset(to + row_bytes - border, 0, border);
  }
  std::memset(to, 0, kDotSlack);
}

/// One picture's share of the planes of a weight gradient.
class PlaneWriter {
 public:
  PlaneWriter(const Bf16Kernels& kernels, const ConvShape& shape, const Bf16GradientPlan& plan,
              std::byte* planes)
      : kernels_(kernels), s_(shape), plan_(plan), planes_(planes) {}

  void write(const float* picture, std::size_t at) const {
    const std::size_t positions = plan_.grid_height * plan_.grid_width;
    const float* rows[kBf16TransposeRows];
    for (std::size_t py = 0; py < plan_.phases_h; ++py) {
      for (std::size_t px = 0; px < plan_.phases_w; ++px) {
        std::byte* to = plane(py, px) + at * positions * kBf16Bytes;
        for (std::size_t first = 0; first < positions; first += kBf16TransposeRows) {
          const std::size_t count = std::min(kBf16TransposeRows, positions - first);
          for (std::size_t i = 0; i < count; ++i) {
            const std::size_t y = (first + i) / plan_.grid_width, x = (first + i) % plan_.grid_width;
            rows[i] = pixel(picture, y * s_.stride_h + py, x * s_.stride_w + px);
          }
          kernels_.transpose(rows, count, s_.channels, to + first * kBf16Bytes, plan_.plane_bytes);
        }
      }
    }
  }
  /// What runs over `pictures` pictures read behind them.
  void end(std::size_t pictures) const {
    const std::size_t used = pictures * plan_.grid_height * plan_.grid_width * kBf16Bytes;
    const std::size_t planes = plan_.phases_h * plan_.phases_w * s_.channels;
    for (std::size_t p = 0; p < planes; ++p)
      std::memset(planes_ + p * plan_.plane_bytes + used, 0, kRunSlack);
  }

 private:
  [[nodiscard]] std::byte* plane(std::size_t py, std::size_t px) const {
    return planes_ + (py * plan_.phases_w + px) * s_.channels * plan_.plane_bytes;
  }
  /// At padded coordinates; null in the padding.
  [[nodiscard]] const float* pixel(const float* picture, std::size_t y, std::size_t x) const {
    if (y < s_.pad_h || y >= s_.pad_h + s_.height || x < s_.pad_w || x >= s_.pad_w + s_.width) return nullptr;
    return picture + ((y - s_.pad_h) * s_.width + x - s_.pad_w) * s_.channels;
  }

  const Bf16Kernels& kernels_;
  const ConvShape& s_;
  const Bf16GradientPlan& plan_;
  std::byte* planes_;
};

/// The gradient dz of `pictures` pictures as the right operand, in the order of the planes' positions.
void pack_gradient(const Bf16Kernels& kernels, const ConvShape& s, const Bf16GradientPlan& plan,
                   const float* dz, std::size_t pictures, std::byte* scratch) {
  const Bf16Runs runs = plan.runs(s, pictures);
  const std::size_t columns = s.out_channels;
  if (!plan.whole_planes)
    return pack_right(kernels, runs, {.data = dz, .leading = columns, .columns = columns},
                      scratch + plan.right);
  const auto** rows = reinterpret_cast<const float**>(scratch + plan.rows);
  for (std::size_t t = 0; t < runs.elements; ++t) {
    const std::size_t x = t % plan.grid_width, row = t / plan.grid_width;
    const std::size_t y = row % plan.grid_height, picture = row / plan.grid_height;
    const bool inside = x < s.out_width() && y < s.out_height();
    rows[t] = inside ? dz + ((picture * s.out_height() + y) * s.out_width() + x) * s.out_channels : nullptr;
  }
  pack_right_rows(kernels, runs, rows, columns, scratch + plan.right);
}

/// Where the runs of `pictures` pictures begin in a plane, cut into segments; returns their number.
std::size_t cut_gradient(const Bf16Kernels& kernels, const ConvShape& s, const Bf16GradientPlan& plan,
                         std::size_t pictures, std::byte* scratch) {
  auto* begins = reinterpret_cast<std::size_t*>(scratch + plan.run_bytes);
  const Bf16Runs runs = plan.runs(s, pictures);
  for (std::size_t run = 0; run < runs.count; ++run) {
    const std::size_t row = run / s.out_height() * plan.grid_height + run % s.out_height();
    begins[run] = row * plan.grid_width * kBf16Bytes;
  }
  return cut_runs(kernels, runs, begins, reinterpret_cast<DotSegment*>(scratch + plan.segments));
}

}  // namespace

Bf16Conv::Bf16Conv(const Bf16Kernels& kernels, const ConvShape& shape)
    : plan_(std::make_shared<const Plan>(kernels, shape)) {
  assert(shape.groups == 1);
}

const ConvShape& Bf16Conv::shape() const noexcept {
  return plan_->shape;
}

std::size_t Bf16Conv::packed_weight_bytes() const noexcept {
  return packed_right_bytes(plan_->kernels, plan_->forward.runs, shape().out_channels);
}

void Bf16Conv::pack_weights(const float* weights, Bf16Order order, std::byte* packed) const noexcept {
  const std::size_t columns = shape().out_channels;
  const std::size_t leading = order == Bf16Order::StepMajor ? columns : shape().filter_size();
  pack_right(plan_->kernels, plan_->forward.runs,
             {.data = weights, .leading = leading, .columns = columns, .order = order}, packed);
}

std::size_t Bf16Conv::forward_scratch_bytes() const noexcept {
  return plan_->forward.scratch_bytes;
}

void Bf16Conv::forward(const float* x, const std::byte* packed_weights, float* z, RowRange rows,
                       std::byte* scratch) const noexcept {
  const ConvShape& s = shape();
  const Bf16ForwardPlan& plan = plan_->forward;
  const std::size_t out_h = s.out_height(), row_floats = s.out_width() * s.out_channels;
  while (rows.begin < rows.end) {
    const std::size_t picture = rows.begin / out_h, first = rows.begin % out_h;
    const std::size_t last = std::min(out_h, first + rows.end - rows.begin);
    round_padded(plan_->kernels, s, x + picture * s.height * s.width * s.channels, {first, last}, scratch);
    run_product(plan_->kernels, {.a = scratch,
                                 .row_offset = plan.pixel_offset.data() + first * s.out_width(),
                                 .rows = (last - first) * s.out_width(),
                                 .slack = plan.slack,
                                 .segments = plan.segments.data(),
                                 .segment_count = plan.segment_count,
                                 .runs = plan.runs,
                                 .b = packed_weights,
                                 .columns = s.out_channels,
                                 .c = z,
                                 .c_row_stride = s.out_channels});
    z += (last - first) * row_floats;
    rows.begin += last - first;
  }
}

std::size_t Bf16Conv::weight_gradient_scratch_bytes() const noexcept {
  return plan_->gradient.scratch_bytes;
}

std::size_t Bf16Conv::weight_gradient_group() const noexcept {
  return plan_->gradient.group;
}

void Bf16Conv::weight_gradient(const float* x, const float* dz, float* dw, std::size_t first,
                               std::size_t last, Accumulate accumulate, std::byte* scratch) const noexcept {
  assert(reinterpret_cast<std::uintptr_t>(scratch) % 64 == 0);
  const ConvShape& s = shape();
  const Bf16GradientPlan& plan = plan_->gradient;
  const Bf16Kernels& kernels = plan_->kernels;
  if (first == last && accumulate == Accumulate::Overwrite)
    std::fill_n(dw, s.filter_size() * s.out_channels, 0.0F);
  const PlaneWriter writer(kernels, s, plan, scratch);
  for (std::size_t begin = first; begin < last; begin += plan.group) {
    const std::size_t pictures = std::min(plan.group, last - begin);
    for (std::size_t p = 0; p < pictures; ++p)
      writer.write(x + (begin + p) * s.height * s.width * s.channels, p);
    writer.end(pictures);
    pack_gradient(kernels, s, plan, dz + begin * s.out_height() * s.out_width() * s.out_channels, pictures,
                  scratch);
    run_product(kernels, {.a = scratch,
                          .row_offset = plan.filter_offset.data(),
                          .rows = s.filter_size(),
                          .slack = plan.slack,
                          .segments = reinterpret_cast<const DotSegment*>(scratch + plan.segments),
                          .segment_count = cut_gradient(kernels, s, plan, pictures, scratch),
                          .runs = plan.runs(s, pictures),
                          .b = scratch + plan.right,
                          .columns = s.out_channels,
                          .c = dw,
                          .c_row_stride = s.out_channels,
                          .accumulate = begin == first ? accumulate : Accumulate::Add});
  }
}

}  // namespace bitplane::kernels
