// SPDX-License-Identifier: Apache-2.0
#include "bitserial/strip.h"

#include <algorithm>
#include <cmath>

#include "bitserial/gather.h"

namespace bitplane::kernels {
namespace {

/// Cuts arrays from a block of memory, each on a cache line of its own.
class Cutter {
 public:
  explicit Cutter(std::byte* base) : base_(base) {}
  template <class T>
  T* take(std::size_t count) noexcept {
    std::byte* at = base_ == nullptr ? nullptr : base_ + used_;
    used_ += (count * sizeof(T) + 63) / 64 * 64;
    return reinterpret_cast<T*>(at);
  }
  [[nodiscard]] std::size_t used() const noexcept { return used_; }

 private:
  std::byte* base_;
  std::size_t used_ = 0;
};

using PlaneCounts = std::int32_t[kMaxActivationPlanes];

void write_pixel_terms(const PackedBitConv& packed, const PlaneCounts& counts, std::size_t planes,
                       std::size_t inside, std::int32_t* pixel_terms) noexcept {
  // Unsigned: modulo 2^32, as in the micro-kernel.
  const std::int32_t* factors = packed.pixel_factors.data();
  for (std::size_t t = 0; t < packed.terms.size(); ++t) {
    std::uint32_t sum = 0;
    if (packed.activation_encoding == Encoding::Bipolar) {
      sum = static_cast<std::uint32_t>(factors[t]) * static_cast<std::uint32_t>(inside);
    } else {
      for (std::size_t j = 0; j < planes; ++j) {
        sum += static_cast<std::uint32_t>(factors[t * planes + j]) * static_cast<std::uint32_t>(counts[j]);
      }
    }
    pixel_terms[t] = static_cast<std::int32_t>(sum);
  }
}

/// SA: the sum of the activations' values in the window.
float activation_sum(const PackedBitConv& packed, const PlaneCounts& counts, std::size_t planes,
                     std::int64_t inside) noexcept {
  const auto as_read = [&](std::size_t j) {
    return packed.activation_encoding == Encoding::Bipolar ? 2 * std::int64_t{counts[j]} - inside
                                                           : std::int64_t{counts[j]};
  };
  float sum = 0.0F;
  if (activations_are_uniform(packed.combination)) {
    std::int64_t integer = 0;
    for (std::size_t j = 0; j < planes; ++j) integer += packed.terms[0].b[j] * as_read(j);
    sum = static_cast<float>(integer);
  } else {
    for (std::size_t j = 0; j < planes; ++j) {
      sum = std::fma(packed.activation_basis[j], static_cast<float>(as_read(j)), sum);
    }
  }
  if (packed.activation_offset != 0.0F)
    sum = std::fma(packed.activation_offset, static_cast<float>(inside), sum);
  return sum;
}

}  // namespace

StripScratch cut_scratch(const ConvShape& shape, const PackedBitConv& packed, std::size_t planes,
                         std::byte* base) noexcept {
  Cutter cutter(base);
  const std::size_t pixels = packed.strip.pixels;
  StripScratch scratch;
  scratch.windows =
      cutter.take<std::byte>(packed.in_place ? 0 : pixels * planes * packed.words * sizeof(std::uint64_t));
  scratch.pixels = cutter.take<const std::byte*>(pixels);
  scratch.channel_terms = cutter.take<const std::int32_t*>(pixels);
  scratch.weight_sums = cutter.take<const float*>(pixels);
  scratch.pixel_terms = cutter.take<std::int32_t>(pixels * packed.terms.size());
  scratch.activation_sums = cutter.take<float>(pixels);
  scratch.z = cutter.take<float>(packed.strip.rows * shape.out_width() * shape.out_channels);
  scratch.integers = reinterpret_cast<std::int32_t*>(scratch.z);
  scratch.bytes = cutter.used();
  return scratch;
}

namespace {

/// The per-pixel arrays of one segment, from pixel `at` of the strip on; the windows are in place or
/// gathered.
void fill_segment(const BitSerialKernels& kernels, const ConvView& view, std::size_t group,
                  const RowSegment& segment, std::size_t at, const StripScratch& scratch) noexcept {
  const auto& [shape, packed, input] = view;
  const ActivationLayout& layout = input.layout;
  const std::size_t terms = packed.terms.size(), plane_stride = packed.plane_stride(layout);
  for (std::size_t i = 0; i < segment.count; ++i) {
    const std::size_t p = at + i, border_class = packed.border.of(segment.y, segment.x + i);
    const std::size_t table = group * packed.border.size() + border_class;
    if (packed.channel_terms.size() != 0) {
      scratch.channel_terms[p] = packed.channel_terms.data() + table * terms * packed.stride;
    }
    if (packed.weight_sums.size() != 0)
      scratch.weight_sums[p] = packed.weight_sums.data() + table * packed.stride;
    const std::size_t inside = packed.inside[border_class];
    PlaneCounts counts;
    if (packed.counts_pixels()) {
      kernels.count_planes(scratch.pixels[p], plane_stride, layout.planes, packed.words, counts);
    }
    if (packed.has_pixel_terms()) {
      write_pixel_terms(packed, counts, layout.planes, inside, scratch.pixel_terms + p * terms);
    }
    if (packed.weight_offset.size() != 0) {
      scratch.activation_sums[p] =
          activation_sum(packed, counts, layout.planes, static_cast<std::int64_t>(inside));
    }
  }
}

}  // namespace

void prepare_strip(const BitSerialKernels& kernels, const ConvView& view, std::size_t group,
                   const StripRange& range, const StripScratch& scratch) noexcept {
  const auto& [shape, packed, input] = view;
  const ActivationLayout& layout = input.layout;
  const std::size_t window_bytes = layout.planes * packed.words * sizeof(std::uint64_t);
  const std::size_t width = shape.out_width(), height = shape.out_height();
  const std::size_t first_row = range.row + range.first / width;
  std::size_t picture = first_row / height, y = first_row % height, x = range.first % width;
  for (std::size_t at = 0; at < range.count;) {
    const RowSegment segment{picture, y, x, std::min(width - x, range.count - at)};
    if (packed.in_place) {
      const std::byte* pixel = input.data + segment.picture * layout.picture_bytes() +
                               segment.y * shape.stride_h * layout.row_bytes() +
                               group * layout.planes * layout.plane_stride();
      const std::size_t step = shape.stride_w * layout.pixel_bytes();
      pixel += segment.x * step;
      for (std::size_t i = 0; i < segment.count; ++i, pixel += step) scratch.pixels[at + i] = pixel;
    } else {
      std::byte* windows = scratch.windows + at * window_bytes;
      gather_windows(shape, packed.border, input, group, segment, windows);
      for (std::size_t i = 0; i < segment.count; ++i) scratch.pixels[at + i] = windows + i * window_bytes;
    }
    if (packed.wants_pixel_values()) fill_segment(kernels, view, group, segment, at, scratch);
    at += segment.count;
    x = 0;
    if (++y == height) {
      y = 0;
      ++picture;
    }
  }
}

}  // namespace bitplane::kernels
