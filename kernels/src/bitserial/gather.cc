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

/// Zeroes `bytes` of every window.
void zero_runs(std::byte* to, std::size_t step, std::size_t count, std::size_t bytes) noexcept {
  for (std::size_t i = 0; i < count; ++i, to += step) {
    std::size_t at = 0;
    for (; at + 8 <= bytes; at += 8) std::memset(to + at, 0, 8);
    for (; at < bytes; at += 2) std::memset(to + at, 0, 2);
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
    const IndexRange inside = interior(segment);
    for (std::size_t x = segment.x; x < inside.begin; ++x)
      gather_at_border(row, x, to + (x - segment.x) * window_bytes);
    for (std::size_t x = inside.end; x < segment.x + segment.count; ++x)
      gather_at_border(row, x, to + (x - segment.x) * window_bytes);
    if (inside.begin == inside.end) return;
    const bool contiguous = shape_.dilation_w == 1;
    const std::size_t runs = contiguous ? 1 : shape_.kernel_w;
    for (std::size_t kx = 0; kx < runs; ++kx) {
      copy_runs({.from = row + offset(inside.begin) + kx * shape_.dilation_w * granule_,
                 .from_step = shape_.stride_w * granule_,
                 .to = to + (inside.begin - segment.x) * window_bytes + kx * granule_,
                 .to_step = window_bytes,
                 .count = inside.end - inside.begin},
                contiguous ? shape_.kernel_w * granule_ : granule_);
    }
  }

 private:
  /// The output columns of a segment whose windows lie inside the picture, as far as columns go.
  [[nodiscard]] IndexRange interior(const RowSegment& segment) const noexcept {
    const IndexRange whole = border_.whole_columns();
    const std::size_t begin = std::clamp(whole.begin, segment.x, segment.x + segment.count);
    return {begin, std::clamp(whole.end, begin, segment.x + segment.count)};
  }
  /// Where the window of output column x starts in a row of the picture; x is an interior one.
  [[nodiscard]] std::size_t offset(std::size_t x) const noexcept {
    return (x * shape_.stride_w - shape_.pad_w) * granule_;
  }

  void gather_at_border(const std::byte* row, std::size_t x, std::byte* to) const noexcept {
    switch (granule_) {
      case 2:
        return gather_taps<2>(row, x, to);
      case 4:
        return gather_taps<4>(row, x, to);
      default:
        return gather_taps<8>(row, x, to);
    }
  }

  /// In units of a constant size, as in copy_runs: two pixels per row cost more than all others otherwise.
  template <std::size_t kUnit>
  void gather_taps(const std::byte* row, std::size_t x, std::byte* to) const noexcept {
    const IndexRange taps = border_.columns_at(x);
    for (std::size_t kx = 0; kx < shape_.kernel_w; ++kx, to += granule_) {
      const std::size_t column = x * shape_.stride_w + kx * shape_.dilation_w - shape_.pad_w;
      const bool inside = kx >= taps.begin && kx < taps.end;
      for (std::size_t at = 0; at < granule_; at += kUnit) {
        if (inside) {
          std::memcpy(to + at, row + column * granule_ + at, kUnit);
        } else {
          std::memset(to + at, 0, kUnit);
        }
      }
    }
  }

  const ConvShape& shape_;
  const BorderClasses& border_;
  std::size_t granule_;
};

template <class T>
[[nodiscard]] T load(const std::byte* from) noexcept {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

void store(std::byte* to, std::uint64_t word) noexcept {
  std::memcpy(to, &word, sizeof word);
}

/// Whole windows of three kernel rows of kRunBytes each, padding included, in one pass.
struct ThreeRuns {
  const std::byte* rows[3];
  std::size_t from_step = 0;
  std::byte* to = nullptr;
  std::size_t to_step = 0;
  std::size_t count = 0;
};

template <std::size_t kRunBytes>
void copy_three_runs(const ThreeRuns& runs) noexcept {
  constexpr std::size_t kBytes = (3 * kRunBytes + 7) / 8 * 8;
  const std::byte *first = runs.rows[0], *second = runs.rows[1], *third = runs.rows[2];
  std::byte* to = runs.to;
  for (std::size_t i = 0; i < runs.count; ++i, to += runs.to_step) {
    if constexpr (kRunBytes == 6) {  // put together in registers: runs this short straddle the words
      const auto run = [](const std::byte* from) {
        return std::uint64_t{load<std::uint32_t>(from)} | std::uint64_t{load<std::uint16_t>(from + 4)} << 32;
      };
      const std::uint64_t a = run(first), b = run(second), c = run(third);
      store(to, a | b << 48);
      store(to + 8, b >> 16 | c << 32);
      store(to + 16, c >> 32);
    } else {
      std::memcpy(to, first, kRunBytes);
      std::memcpy(to + kRunBytes, second, kRunBytes);
      std::memcpy(to + 2 * kRunBytes, third, kRunBytes);
      if constexpr (kBytes != 3 * kRunBytes) std::memset(to + 3 * kRunBytes, 0, kBytes - 3 * kRunBytes);
    }
    first += runs.from_step;
    second += runs.from_step;
    third += runs.from_step;
  }
}

using CopyThreeRuns = void (*)(const ThreeRuns&) noexcept;

/// For 3x3 windows of up to 128 channels; null for others.
[[nodiscard]] CopyThreeRuns three_runs(const ConvShape& shape, std::size_t run_bytes) noexcept {
  if (shape.kernel_h != 3 || shape.kernel_w != 3 || shape.dilation_w != 1) return nullptr;
  switch (run_bytes) {
    case 6:
      return copy_three_runs<6>;
    case 12:
      return copy_three_runs<12>;
    case 24:
      return copy_three_runs<24>;
    case 48:
      return copy_three_runs<48>;
    default:
      return nullptr;
  }
}

/// Where a plane's rows of the picture are.
struct PlaneRows {
  const std::byte* first = nullptr;  ///< row 0 of plane 0
  std::size_t row_bytes = 0, plane_stride = 0;
  [[nodiscard]] const std::byte* at(std::size_t y, std::size_t plane) const noexcept {
    return first + y * row_bytes + plane * plane_stride;
  }
};

/// What a segment's windows read of a row, in bytes of it: zeros, then [begin, begin + inside) of the row,
/// then zeros.
struct RowSpan {
  std::size_t before = 0, begin = 0, inside = 0, behind = 0;
  [[nodiscard]] std::size_t bytes() const noexcept { return before + inside + behind; }
};

[[nodiscard]] RowSpan span_of(const ConvShape& shape, const RowSegment& segment,
                              std::size_t granule) noexcept {
  const std::size_t pixels = (segment.count - 1) * shape.stride_w + shape.kernel_w;
  const std::size_t start = segment.x * shape.stride_w;  // in the padded row
  const std::size_t before = std::min(start < shape.pad_w ? shape.pad_w - start : 0, pixels);
  const std::size_t begin = std::min(start + before - shape.pad_w, shape.width);
  const std::size_t inside = std::min(pixels - before, shape.width - begin);
  return {before * granule, begin * granule, inside * granule, (pixels - before - inside) * granule};
}

/// A copy of the span, or the row itself where it has no padding. row: null is one above or below the
/// picture.
const std::byte* pad_row(const std::byte* row, const RowSpan& span, std::byte* to) noexcept {
  if (row == nullptr) {
    std::memset(to, 0, span.bytes());
    return to;
  }
  if (span.inside == span.bytes()) return row + span.begin;
  std::memset(to, 0, span.before);
  std::memcpy(to + span.before, row + span.begin, span.inside);
  std::memset(to + span.before + span.inside, 0, span.behind);
  return to;
}

/// A padded row of up to this many bytes has a place on the stack: 112 pixels of 64 channels.
constexpr std::size_t kPaddedBytes = 1024;

/// 3x3 windows by way of padded rows: no pixel is a special case. (ResNet-20's 16 channels, AVX-512:
/// gathering with a case for each border
/// pixel a layer took 16.7 us, so 15.0 us.)
struct PaddedWindows {
  const ConvShape& shape;
  const RowSegment& segment;
  IndexRange rows;  ///< kernel rows inside the picture
  RowSpan span;
  PlaneRows planes;

  /// For each plane; `runs` is the first one's, without its rows.
  void gather(CopyThreeRuns copy, ThreeRuns runs, std::size_t plane_count,
              std::size_t plane_bytes) const noexcept {
    std::byte padded[3][kPaddedBytes];
    for (std::size_t plane = 0; plane < plane_count; ++plane, runs.to += plane_bytes) {
      for (std::size_t ky = 0; ky < 3; ++ky) {
        const bool inside = ky >= rows.begin && ky < rows.end;
        const std::size_t y = segment.y * shape.stride_h + ky * shape.dilation_h - shape.pad_h;
        runs.rows[ky] = pad_row(inside ? planes.at(y, plane) : nullptr, span, padded[ky]);
      }
      copy(runs);
    }
  }
};

}  // namespace

void gather_windows(const ConvShape& shape, const BorderClasses& border, const PackedActivations& input,
                    std::size_t group, const RowSegment& segment, std::byte* windows) noexcept {
  const ActivationLayout& layout = input.layout;
  const std::size_t granule = layout.pixel_bytes(), run_bytes = shape.kernel_w * granule;
  const std::size_t plane_bytes = window_words(shape, layout) * sizeof(std::uint64_t);
  const std::size_t window_bytes = layout.planes * plane_bytes;
  const IndexRange rows = border.rows_at(segment.y);
  const PlaneRows planes{.first = input.data + segment.picture * layout.picture_bytes() +
                                  group * layout.planes * layout.plane_stride(),
                         .row_bytes = layout.row_bytes(),
                         .plane_stride = layout.plane_stride()};
  const RowSpan span = span_of(shape, segment, granule);
  const CopyThreeRuns copy_three = three_runs(shape, run_bytes);
  if (copy_three != nullptr && span.bytes() <= kPaddedBytes) {
    const PaddedWindows padded{shape, segment, rows, span, planes};
    return padded.gather(copy_three,
                         {.rows = {},
                          .from_step = shape.stride_w * granule,
                          .to = windows,
                          .to_step = window_bytes,
                          .count = segment.count},
                         layout.planes, plane_bytes);
  }
  const KernelRow kernel_row(shape, border, granule);
  const std::size_t pad_bytes = plane_bytes - shape.taps() * granule;
  for (std::size_t plane = 0; plane < layout.planes; ++plane) {
    std::byte* to = windows + plane * plane_bytes;
    for (std::size_t ky = 0; ky < shape.kernel_h; ++ky, to += run_bytes) {
      if (ky < rows.begin || ky >= rows.end) {
        zero_runs(to, window_bytes, segment.count, run_bytes);
      } else {
        const std::size_t y = segment.y * shape.stride_h + ky * shape.dilation_h - shape.pad_h;
        kernel_row.gather(planes.at(y, plane), segment, to, window_bytes);
      }
    }
    if (pad_bytes != 0) zero_runs(to, window_bytes, segment.count, pad_bytes);
  }
}

}  // namespace bitplane::kernels
