// SPDX-License-Identifier: Apache-2.0
#include "bitserial/gather.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace bitplane::kernels {
namespace {

/// `count` runs of bytes, one per output pixel: from steps through the picture, to from window to window.
struct Runs {
  const std::byte* from = nullptr;
  std::size_t from_step = 0;
  std::byte* to = nullptr;
  std::size_t to_step = 0;
  std::size_t count = 0;
};

template <std::size_t kBytes>
void copy_runs_of(const Runs& runs) noexcept {
  const std::byte* from = runs.from;
  std::byte* to = runs.to;
  for (std::size_t i = 0; i < runs.count; ++i, from += runs.from_step, to += runs.to_step)
    std::memcpy(to, from, kBytes);
}

/// Runs are short and many: a call of memcpy for each costs more than the copy, so the usual lengths (1, 3
/// and 5 taps of 16, 32, 64 and 128 bits) are constants.
void copy_runs(const Runs& runs, std::size_t bytes) noexcept {
  switch (bytes) {
    case 2:
      return copy_runs_of<2>(runs);
    case 4:
      return copy_runs_of<4>(runs);
    case 6:
      return copy_runs_of<6>(runs);
    case 8:
      return copy_runs_of<8>(runs);
    case 10:
      return copy_runs_of<10>(runs);
    case 12:
      return copy_runs_of<12>(runs);
    case 16:
      return copy_runs_of<16>(runs);
    case 20:
      return copy_runs_of<20>(runs);
    case 24:
      return copy_runs_of<24>(runs);
    case 40:
      return copy_runs_of<40>(runs);
    case 48:
      return copy_runs_of<48>(runs);
    default:
      for (std::size_t i = 0; i < runs.count; ++i) {
        std::memcpy(runs.to + i * runs.to_step, runs.from + i * runs.from_step, bytes);
      }
  }
}

/// One kernel row of one plane, for all pixels of a segment.
class KernelRow {
 public:
  KernelRow(const ConvShape& shape, const BorderClasses& border, std::size_t granule)
      : shape_(shape), border_(border), granule_(granule) {}

  /// `row`: the plane's row of the picture. `to`: the kernel row's place in the first window.
  void gather(const std::byte* row, const RowSegment& segment, std::byte* to,
              std::size_t window_bytes) const noexcept {
    const IndexRange whole = border_.whole_columns();
    const std::size_t begin = std::clamp(whole.begin, segment.x, segment.x + segment.count);
    const std::size_t end = std::clamp(whole.end, begin, segment.x + segment.count);
    for (std::size_t x = segment.x; x < begin; ++x)
      gather_at_border(row, x, to + (x - segment.x) * window_bytes);
    if (begin < end) {
      const std::size_t x0 = begin * shape_.stride_w - shape_.pad_w;
      const bool contiguous = shape_.dilation_w == 1;
      const std::size_t runs = contiguous ? 1 : shape_.kernel_w;
      for (std::size_t kx = 0; kx < runs; ++kx) {
        copy_runs({.from = row + (x0 + kx * shape_.dilation_w) * granule_,
                   .from_step = shape_.stride_w * granule_,
                   .to = to + (begin - segment.x) * window_bytes + kx * granule_,
                   .to_step = window_bytes,
                   .count = end - begin},
                  contiguous ? shape_.kernel_w * granule_ : granule_);
      }
    }
    for (std::size_t x = end; x < segment.x + segment.count; ++x) {
      gather_at_border(row, x, to + (x - segment.x) * window_bytes);
    }
  }

 private:
  void gather_at_border(const std::byte* row, std::size_t x, std::byte* to) const noexcept {
    std::memset(to, 0, shape_.kernel_w * granule_);
    const IndexRange taps = border_.columns_at(x);
    for (std::size_t kx = taps.begin; kx < taps.end; ++kx) {
      const std::size_t at = x * shape_.stride_w + kx * shape_.dilation_w - shape_.pad_w;
      std::memcpy(to + kx * granule_, row + at * granule_, granule_);
    }
  }

  const ConvShape& shape_;
  const BorderClasses& border_;
  std::size_t granule_;
};

}  // namespace

void gather_windows(const ConvShape& shape, const BorderClasses& border, const PackedActivations& input,
                    std::size_t group, const RowSegment& segment, std::byte* windows) noexcept {
  const ActivationLayout& layout = input.layout;
  const std::size_t granule = layout.pixel_bytes(), run_bytes = shape.kernel_w * granule;
  const std::size_t plane_bytes = window_words(shape, layout) * sizeof(std::uint64_t);
  const std::size_t plane_stride = layout.plane_stride(), window_bytes = layout.planes * plane_bytes;
  const std::size_t pad_bytes = plane_bytes - shape.taps() * granule;
  const IndexRange rows = border.rows_at(segment.y);
  const KernelRow kernel_row(shape, border, granule);
  const std::byte* first =
      input.data + segment.picture * layout.picture_bytes() + group * layout.planes * plane_stride;
  for (std::size_t plane = 0; plane < layout.planes; ++plane) {
    std::byte* to = windows + plane * plane_bytes;
    for (std::size_t ky = 0; ky < shape.kernel_h; ++ky, to += run_bytes) {
      if (ky >= rows.begin && ky < rows.end) {
        const std::size_t y = segment.y * shape.stride_h + ky * shape.dilation_h - shape.pad_h;
        kernel_row.gather(first + y * layout.row_bytes() + plane * plane_stride, segment, to, window_bytes);
      } else {
        for (std::size_t i = 0; i < segment.count; ++i) std::memset(to + i * window_bytes, 0, run_bytes);
      }
    }
    if (pad_bytes != 0) {
      for (std::size_t i = 0; i < segment.count; ++i) std::memset(to + i * window_bytes, 0, pad_bytes);
    }
  }
}

}  // namespace bitplane::kernels
