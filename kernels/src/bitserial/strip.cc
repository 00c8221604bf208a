// SPDX-License-Identifier: Apache-2.0
#include "bitserial/strip.h"

#include <algorithm>
#include <cmath>

#include "bitserial/gather.h"
#include "scratch_cutter.h"

namespace bitplane::kernels {
namespace {

/// Unsigned: modulo 2^32, as in the micro-kernel.
std::int32_t product(std::int32_t a, std::int32_t b) noexcept {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) * static_cast<std::uint32_t>(b));
}

/// SA: the sum of the activations' values in the window.
float activation_sum(const PackedBitConv& packed, const std::int32_t* counts, std::size_t planes,
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

/// Of scratch for windows that are not read from the picture.
std::size_t window_bytes(const ConvShape& shape, const PackedBitConv& packed, std::size_t planes) noexcept {
  switch (packed.windows.source) {
    case WindowSource::Picture:
      return 0;
    case WindowSource::PaddedRows:
      return most_padded_rows(shape, packed.strip.rows) * packed.windows.row_bytes;
    case WindowSource::Gathered:
      return packed.strip.pixels * planes * packed.windows.plane_stride;
  }
  return 0;
}

}  // namespace

StripScratch cut_scratch(const ConvShape& shape, const PackedBitConv& packed, std::size_t planes,
                         std::byte* base) noexcept {
  ScratchCutter cutter(base);
  const std::size_t pixels = packed.strip.pixels;
  StripScratch scratch;
  cutter.take(scratch.windows, window_bytes(shape, packed, planes));
  cutter.take(scratch.pixels, pixels);
  cutter.take(scratch.channel_terms, pixels);
  cutter.take(scratch.weight_sums, pixels);
  cutter.take(scratch.pixel_terms, pixels * packed.terms.size());
  cutter.take(scratch.activation_sums, pixels);
  cutter.take(scratch.counts, pixels * planes);
  cutter.take(scratch.z, packed.strip.rows * shape.out_width() * shape.out_channels);
  scratch.integers = reinterpret_cast<std::int32_t*>(scratch.z);
  scratch.passed = reinterpret_cast<std::byte*>(scratch.z);
  scratch.bytes = cutter.bytes();
  return scratch;
}

namespace {

/// What depends on the taps inside the picture, of one segment from pixel `at` of the strip on.
void fill_border_values(const ConvView& view, std::size_t group, const RowSegment& segment, std::size_t at,
                        const StripScratch& scratch) noexcept {
  const auto& [shape, packed, input] = view;
  const std::size_t terms = packed.terms.size();
  for (std::size_t i = 0; i < segment.count; ++i) {
    const std::size_t p = at + i, border_class = packed.border.of(segment.y, segment.x + i);
    const std::size_t table = group * packed.border.size() + border_class;
    const auto inside = static_cast<std::int32_t>(packed.inside[border_class]);
    if (packed.channel_terms.size() != 0) {
      scratch.channel_terms[p] = packed.channel_terms.data() + table * terms * packed.stride;
    }
    if (packed.weight_sums.size() != 0)
      scratch.weight_sums[p] = packed.weight_sums.data() + table * packed.stride;
    if (packed.has_pixel_terms() && packed.activation_encoding == Encoding::Bipolar) {
      for (std::size_t t = 0; t < terms; ++t) {
        scratch.pixel_terms[p * terms + t] = product(packed.pixel_factors[t], inside);
      }
    }
    if (packed.weight_offset.size() != 0) {
      const std::size_t planes = input.layout.planes;
      scratch.activation_sums[p] = activation_sum(packed, scratch.counts + p * planes, planes, inside);
    }
  }
}

/// S_j of all pixels of a strip.
void fill_counts(const BitSerialKernels& kernels, const ConvView& view, std::size_t pixels,
                 const StripScratch& scratch) noexcept {
  const auto& [shape, packed, input] = view;
  kernels.count_planes({.pixels = scratch.pixels,
                        .count = pixels,
                        .plane_stride = packed.windows.plane_stride,
                        .word_offsets = packed.windows.word_offsets.data(),
                        .planes = input.layout.planes,
                        .words = packed.windows.words},
                       scratch.counts);
}

/// A segment of a strip.
struct PlacedSegment {
  RowSegment segment;
  std::size_t index = 0;  ///< of its row, counted from the first of the rows that are prepared
  std::size_t at = 0;     ///< of its first pixel in the strip
};

void place_windows(const ConvView& view, std::size_t group, const PlacedSegment& placed,
                   const OutputRows& rows, const StripScratch& scratch) noexcept {
  const auto& [segment, index, at] = placed;
  const auto& [shape, packed, input] = view;
  const ActivationLayout& layout = input.layout;
  const WindowLayout& windows = packed.windows;
  const std::byte* window = nullptr;
  std::size_t step = shape.stride_w * layout.pixel_bytes();
  const std::size_t inside_row = group * layout.planes * windows.plane_stride + segment.x * step;
  switch (windows.source) {
    case WindowSource::Picture:
      window = input.data + segment.picture * layout.picture_bytes() +
               segment.y * shape.stride_h * layout.row_bytes() + inside_row;
      break;
    case WindowSource::PaddedRows:
      window = scratch.windows + padded_row_of(shape, rows, index) * windows.row_bytes + inside_row;
      break;
    case WindowSource::Gathered:
      step = layout.planes * windows.plane_stride;
      std::byte* to = scratch.windows + at * step;
      gather_windows(shape, packed.border, input, group, segment, to);
      window = to;
      break;
  }
  for (std::size_t i = 0; i < segment.count; ++i, window += step) scratch.pixels[at + i] = window;
}

/// A linear layer over a batch, or rows of one pixel: no segments to speak of.
void place_single_pixels(const ConvView& view, std::size_t group, const StripRange& range,
                         const StripScratch& scratch) noexcept {
  const auto& [shape, packed, input] = view;
  const ActivationLayout& layout = input.layout;
  const std::size_t height = shape.out_height(), step = shape.stride_h * layout.row_bytes();
  const std::size_t first = range.rows.row + range.first;
  const std::byte* start = input.data + group * layout.planes * layout.plane_stride();
  std::size_t picture = first / height, y = first % height;
  for (std::size_t i = 0; i < range.count; ++picture, y = 0) {
    const std::byte* pixel = start + picture * layout.picture_bytes() + y * step;
    const std::size_t end = i + std::min(range.count - i, height - y);
    for (; i < end; ++i, pixel += step) scratch.pixels[i] = pixel;
  }
}

}  // namespace

void prepare_strip(const BitSerialKernels& kernels, const ConvView& view, std::size_t group,
                   const StripRange& range, const StripScratch& scratch) noexcept {
  const auto& [shape, packed, input] = view;
  const std::size_t width = shape.out_width(), height = shape.out_height();
  const bool border_values = packed.wants_border_values();
  if (width == 1 && packed.windows.source == WindowSource::Picture && !border_values) {
    place_single_pixels(view, group, range, scratch);
    return;
  }
  /// body(segment, its row counted from rows.row, its first pixel counted from the strip's first)
  const auto for_segments = [&](auto&& body) {
    std::size_t index = range.first / width, x = range.first % width;
    std::size_t picture = (range.rows.row + index) / height, y = (range.rows.row + index) % height;
    for (std::size_t at = 0; at < range.count; x = 0, ++index) {
      const RowSegment segment{picture, y, x, std::min(width - x, range.count - at)};
      body(segment, index, at);
      at += segment.count;
      if (++y == height) {
        y = 0;
        ++picture;
      }
    }
  };
  for_segments([&](const RowSegment& segment, std::size_t index, std::size_t at) {
    place_windows(view, group, {segment, index, at}, range.rows, scratch);
  });
  if (packed.wants_activation_sums()) fill_counts(kernels, view, range.count, scratch);
  if (!border_values) return;
  for_segments([&](const RowSegment& segment, std::size_t, std::size_t at) {
    fill_border_values(view, group, segment, at, scratch);
  });
}

void prepare_rows(const ConvView& view, const OutputRows& rows, const StripScratch& scratch) noexcept {
  const auto& [shape, packed, input] = view;
  if (packed.windows.source != WindowSource::PaddedRows) return;
  copy_padded_rows(shape, input, packed.windows, rows, scratch.windows);
}

}  // namespace bitplane::kernels
