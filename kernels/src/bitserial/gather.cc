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

  /// `row`: the plane's row of the picture. `to`: the kernel row's place in the first window.
  void gather(const std::byte* row, const RowSegment& segment, std::byte* to,
              std::size_t window_bytes) const noexcept {
    gather_border(row, segment, to, window_bytes);
    const IndexRange inside = interior(segment);
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
  /// The other columns of the segment only.
  void gather_border(const std::byte* row, const RowSegment& segment, std::byte* to,
                     std::size_t window_bytes) const noexcept {
    const IndexRange inside = interior(segment);
    for (std::size_t x = segment.x; x < inside.begin; ++x)
      gather_at_border(row, x, to + (x - segment.x) * window_bytes);
    for (std::size_t x = inside.end; x < segment.x + segment.count; ++x)
      gather_at_border(row, x, to + (x - segment.x) * window_bytes);
  }

 private:
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
  const IndexRange interior = kernel_row.interior(segment);
  const CopyThreeRuns copy_three =
      rows == IndexRange{0, 3} && interior.begin < interior.end ? three_runs(shape, run_bytes) : nullptr;
  const std::byte* first =
      input.data + segment.picture * layout.picture_bytes() + group * layout.planes * plane_stride;
  const auto row_of = [&](std::size_t plane, std::size_t ky) {
    const std::size_t y = segment.y * shape.stride_h + ky * shape.dilation_h - shape.pad_h;
    return first + y * layout.row_bytes() + plane * plane_stride;
  };
  for (std::size_t plane = 0; plane < layout.planes; ++plane) {
    std::byte* to = windows + plane * plane_bytes;
    for (std::size_t ky = 0; ky < shape.kernel_h; ++ky, to += run_bytes) {
      if (ky < rows.begin || ky >= rows.end) {
        zero_runs(to, window_bytes, segment.count, run_bytes);
      } else if (copy_three != nullptr) {
        kernel_row.gather_border(row_of(plane, ky), segment, to, window_bytes);
      } else {
        kernel_row.gather(row_of(plane, ky), segment, to, window_bytes);
      }
    }
    if (copy_three == nullptr) {
      if (pad_bytes != 0) zero_runs(to, window_bytes, segment.count, pad_bytes);
      continue;
    }
    const std::size_t before = interior.begin - segment.x;
    const std::size_t behind = interior.end - segment.x;
    zero_runs(to, window_bytes, before, pad_bytes);
    zero_runs(to + behind * window_bytes, window_bytes, segment.count - behind, pad_bytes);
    const std::size_t offset = kernel_row.offset(interior.begin);
    copy_three({.rows = {row_of(plane, 0) + offset, row_of(plane, 1) + offset, row_of(plane, 2) + offset},
                .from_step = shape.stride_w * granule,
                .to = windows + plane * plane_bytes + before * window_bytes,
                .to_step = window_bytes,
                .count = behind - before});
  }
}

}  // namespace bitplane::kernels
