// SPDX-License-Identifier: Apache-2.0
#include "bitserial/strip.h"

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

void write_pixel_terms(const PackedBitConv& packed, const PlaneCounts& counts, std::int64_t inside,
                       std::int32_t* pixel_terms) noexcept {
  const bool bipolar_activations = packed.activation_encoding == Encoding::Bipolar;
  for (std::size_t t = 0; t < packed.terms.size(); ++t) {
    const Term& term = packed.terms[t];
    std::int64_t sum = bipolar_activations ? term.sum_b * inside : 0;
    for (std::size_t j = 0; !bipolar_activations && j < kMaxActivationPlanes; ++j) {
      sum -= std::int64_t{term.b[j]} * counts[j];
    }
    pixel_terms[t] = static_cast<std::int32_t>(term.sum_a * sum);
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
  scratch.bytes = cutter.used();
  return scratch;
}

void prepare_strip(const BitSerialKernels& kernels, const ConvView& view, std::size_t group,
                   const StripRange& range, const StripScratch& scratch) noexcept {
  const auto& [shape, packed, input] = view;
  const ActivationLayout& layout = input.layout;
  const std::size_t window_bytes = layout.planes * packed.words * sizeof(std::uint64_t);
  const std::size_t plane_stride =
      packed.in_place ? layout.plane_stride() : packed.words * sizeof(std::uint64_t);
  const std::size_t terms = packed.terms.size(), classes = packed.border.size();
  for (std::size_t p = 0; p < range.count; ++p) {
    const std::size_t row = range.row + (range.first + p) / shape.out_width();
    const OutputPixel pixel{row / shape.out_height(), row % shape.out_height(),
                            (range.first + p) % shape.out_width()};
    if (packed.in_place) {
      scratch.pixels[p] = input.data + pixel.picture * layout.picture_bytes() +
                          pixel.y * shape.stride_h * layout.row_bytes() +
                          group * layout.planes * plane_stride +
                          pixel.x * shape.stride_w * layout.pixel_bytes();
    } else {
      scratch.pixels[p] = scratch.windows + p * window_bytes;
      gather_window(shape, input, group, pixel, scratch.windows + p * window_bytes);
    }
    const std::size_t border_class = packed.border.of(pixel.y, pixel.x);
    const std::size_t at = group * classes + border_class;
    if (packed.channel_terms.size() != 0) {
      scratch.channel_terms[p] = packed.channel_terms.data() + at * terms * packed.stride;
    }
    if (packed.weight_sums.size() != 0)
      scratch.weight_sums[p] = packed.weight_sums.data() + at * packed.stride;
    const auto inside = static_cast<std::int64_t>(packed.border.taps(border_class) * layout.group_channels());
    PlaneCounts counts{};
    if (packed.counts_pixels()) {
      kernels.count_planes(scratch.pixels[p], plane_stride, layout.planes, packed.words, counts);
    }
    if (packed.has_pixel_terms()) write_pixel_terms(packed, counts, inside, scratch.pixel_terms + p * terms);
    if (packed.weight_offset.size() != 0) {
      scratch.activation_sums[p] = activation_sum(packed, counts, layout.planes, inside);
    }
  }
}

}  // namespace bitplane::kernels
