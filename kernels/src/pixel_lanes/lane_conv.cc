// SPDX-License-Identifier: Apache-2.0
#include "pixel_lanes/lane_conv.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

#include "scratch_cutter.h"

namespace bitplane::kernels {
namespace {

/// The arrays of a running convolution, cut from the caller's scratch, each on cache lines of its own.
struct LaneScratch {
  std::byte* planes = nullptr;     ///< of one group: [plane] at plane_stride
  std::int16_t* sums = nullptr;    ///< [group][padded channel] at sum_stride
  std::uint8_t* tables = nullptr;  ///< of one group
  float* row = nullptr;            ///< [pixel][out channel]: z or integers
  std::size_t bytes = 0;           ///< all of it
};

LaneScratch cut_scratch(const ConvShape& shape, const PackedLanes& packed, std::size_t planes,
                        std::byte* base) noexcept {
  LaneScratch scratch;
  ScratchCutter cutter(base);
  cutter.take(scratch.planes, planes * packed.plane_stride);
  // 7 channels more: the transposition reads blocks of 8.
  cutter.take(scratch.sums, (shape.groups * packed.padded_channels + 7) * packed.sum_stride);
  cutter.take(scratch.tables, packed.table_stride * packed.geometry.quads * 16);
  cutter.take(scratch.row, shape.out_width() * shape.out_channels);
  scratch.bytes = cutter.bytes();
  return scratch;
}

/// Output rows [y, y + rows) of one picture.
struct PictureRows {
  std::size_t picture = 0, y = 0, rows = 0;
};

class BandRunner {
 public:
  BandRunner(const LaneKernels& kernels, const ConvShape& shape, const PackedLanes& packed,
             const PackedActivations& input, const LaneScratch& scratch)
      : kernels_(kernels), shape_(shape), packed_(packed), input_(input), scratch_(scratch) {}

  /// The sums of at most a band, in scratch; or the codes.
  void run(const PictureRows& band, const LaneCodes& codes) const noexcept {
    for (std::size_t group = 0; group < shape_.groups; ++group) {
      copy_planes(band, group);
      run_group(group, band.rows, codes);
    }
  }

  /// Row `index` of the band that ran last: to z, or to integers if it is null.
  void write_row(std::size_t index, float* z, std::int32_t* integers) const noexcept {
    for (std::size_t group = 0; group < shape_.groups; ++group) {
      const std::size_t channel = group * packed_.group_channels;
      kernels_.transpose({.sums = scratch_.sums + group * packed_.padded_channels * packed_.sum_stride +
                                  index * packed_.geometry.pitch,
                          .sum_stride = packed_.sum_stride,
                          .pixels = shape_.out_width(),
                          .channels = packed_.group_channels,
                          .z = z == nullptr ? nullptr : z + channel,
                          .integers = integers == nullptr ? nullptr : integers + channel,
                          .out_stride = shape_.out_channels});
    }
  }

 private:
  /// The input rows of the band with their padding, one behind the other; what lies behind the last is zero.
  void copy_planes(const PictureRows& band, std::size_t group) const noexcept {
    const ActivationLayout& layout = input_.layout;
    const std::size_t granule = packed_.geometry.granule_bytes, pitch = packed_.geometry.pitch * granule;
    const std::size_t before = shape_.pad_w * granule, inside = shape_.width * granule;
    const std::size_t rows = band.rows + packed_.geometry.span_rows - 1;
    const std::byte* const picture =
        input_.data + band.picture * layout.picture_bytes() + group * layout.planes * layout.plane_stride();
    for (std::size_t plane = 0; plane < layout.planes; ++plane) {
      std::byte* const start = scratch_.planes + plane * packed_.plane_stride;
      std::byte* to = start;
      for (std::size_t i = 0; i < rows; ++i, to += pitch) {
        const std::size_t y = band.y + i;  // counted from the padding's first row
        if (y < shape_.pad_h || y - shape_.pad_h >= shape_.height) {
          std::memset(to, 0, pitch);
          continue;
        }
        std::memset(to, 0, before);
        std::memcpy(to + before,
                    picture + (y - shape_.pad_h) * layout.row_bytes() + plane * layout.plane_stride(),
                    inside);
      }
      std::memset(to, 0, packed_.plane_stride - static_cast<std::size_t>(to - start));
    }
  }

  void run_group(std::size_t group, std::size_t rows, const LaneCodes& codes) const noexcept {
    const std::size_t taps = shape_.taps(), planes = weight_planes();
    LaneBand band{.planes = scratch_.planes,
                  .plane_stride = packed_.plane_stride,
                  .activation_planes = input_.layout.planes,
                  .weight_planes = planes,
                  .positions = packed_.geometry.positions(rows, shape_.out_width()),
                  .channels = packed_.padded_channels,
                  .tap_positions = packed_.tap_positions.data(),
                  .taps = taps,
                  .sums = scratch_.sums + group * packed_.padded_channels * packed_.sum_stride,
                  .sum_stride = packed_.sum_stride,
                  .codes = codes};
    if (kernels_.method == LaneMethod::Counted) {
      band.op = packed_.op;
      band.words = packed_.words.data() + group * (packed_.words.size() / shape_.groups);
      band.starts = packed_.starts.data() + group * packed_.padded_channels;
      band.factors = packed_.factors.data();
    } else {
      band.look_ups = packed_.look_ups.data() + group * (packed_.look_ups.size() / shape_.groups);
      band.sum_look_ups = packed_.sum_look_ups.data();
      band.look_up_count = packed_.sum_look_ups.size();
      band.widen_every = packed_.widen_every;
      band.quads = packed_.geometry.quads;
      band.bit_values = packed_.bit_values.data();
      band.plane_factors = packed_.plane_factors.data();
      band.sum_factor = packed_.sum_factor;
      band.tables = scratch_.tables;
      band.table_stride = packed_.table_stride;
    }
    // Granules of 16, 32 and 64 bits.
    kernels_.run[std::bit_width(packed_.geometry.granule_bytes) - 2](band);
  }

  [[nodiscard]] std::size_t weight_planes() const noexcept {
    return kernels_.method == LaneMethod::Counted ? packed_.factors.size() / input_.layout.planes
                                                  : packed_.plane_factors.size();
  }

  const LaneKernels& kernels_;
  const ConvShape& shape_;
  const PackedLanes& packed_;
  const PackedActivations& input_;
  const LaneScratch& scratch_;
};

/// Of a convolution that runs.
struct BandLoop {
  const ConvShape& shape;
  std::size_t band_rows;
  RowRange rows;
};
/// run(band), then take(row counted over the batch, its index in the band), for all rows.
template <class Run, class Take>
void for_bands(const BandLoop& loop, Run run, Take take) {
  const auto& [shape, band_rows, rows] = loop;
  const std::size_t height = shape.out_height();
  for (std::size_t row = rows.begin; row < rows.end;) {
    const std::size_t y = row % height;
    const PictureRows band{
        .picture = row / height, .y = y, .rows = std::min({band_rows, rows.end - row, height - y})};
    run(band);
    for (std::size_t i = 0; i < band.rows; ++i) take(row + i, i);
    row += band.rows;
  }
}

}  // namespace

namespace {

/// Can the lanes compare with the thresholds, so that no sums are written? Their bits are then those of a
/// pixel.
bool compares_in_lanes(const LaneKernels& kernels, const ConvShape& shape, const RankCodes& ranks,
                       const ActivationLayout& out) {
  return shape.groups == 1 && out.groups == 1 && shape.out_channels == out.pixel_bits() &&
         out.pixel_bits() == ActivationLayout{.channels = shape.channels}.pixel_bits() &&
         out.pixel_bytes() <= kernels.code_bytes && ranks.count <= kMostPassed &&
         out.planes <= kMostPassedPlanes;
}

/// An epilogue's thresholds on integers as 16 bits: what no sum reaches may be nearer.
class LaneThresholds {
 public:
  LaneThresholds(const Epilogue& epilogue, std::size_t channels, std::size_t granule_bytes) noexcept {
    for (std::size_t at = 0; at < epilogue.ranks.count * channels; ++at) {
      thresholds_[at] = lane_word(
          std::clamp<std::int32_t>(epilogue.integer.thresholds[at], INT16_MIN, INT16_MAX), granule_bytes);
    }
    for (std::size_t c = 0; c < channels; ++c) flip_[c] = epilogue.integer.flip[c];  // 0 or -1
    const std::uint8_t* const code = epilogue.ranks.code_of_rank;
    for (std::size_t l = 0; l < epilogue.ranks.count; ++l)
      flips_[l] = static_cast<std::uint8_t>(code[l] ^ code[l + 1]);
  }

  /// Points at this object. The planes lie in the place of the sums, which take as much or more: 16 bits per
  /// channel, not one for each plane.
  [[nodiscard]] LaneCodes codes(const Epilogue& epilogue, const LaneScratch& scratch,
                                const PackedLanes& packed) const noexcept {
    return {.planes = reinterpret_cast<std::byte*>(scratch.sums),
            .plane_stride = packed.sum_stride * packed.geometry.granule_bytes,
            .plane_count = epilogue.layout.planes,
            .threshold_count = epilogue.ranks.count,
            .thresholds = thresholds_,
            .flip = flip_,
            .first = epilogue.ranks.code_of_rank[0],
            .flips = flips_};
  }

 private:
  LaneWord thresholds_[kMostPassed * 64], flip_[64];
  std::uint8_t flips_[kMostPassed];
};

/// One row of a band's codes to the epilogue's planes.
void write_codes(const Epilogue& epilogue, const LaneCodes& codes, const PackedLanes& packed, std::size_t row,
                 std::size_t index) noexcept {
  const ActivationLayout& out = epilogue.layout;
  const std::size_t bytes = out.width * out.pixel_bytes();
  for (std::size_t plane = 0; plane < out.planes; ++plane) {
    std::byte* const to = epilogue.out_planes + row * out.row_bytes() + plane * out.plane_stride();
    std::memcpy(to,
                codes.planes + plane * codes.plane_stride +
                    index * packed.geometry.pitch * packed.geometry.granule_bytes,
                bytes);
    std::memset(to + bytes, 0, out.plane_stride() - bytes);
  }
}

}  // namespace

LaneConv::LaneConv(const LaneKernels& kernels, const BitConvSpec& spec)
    : LowBitConv(spec),
      kernels_(&kernels),
      packed_(std::make_shared<const PackedLanes>(make_packed_lanes(kernels, spec))) {}

std::size_t LaneConv::packed_bytes() const noexcept {
  return packed_->words.bytes() + packed_->starts.bytes() + packed_->look_ups.bytes() +
         packed_->bit_values.bytes();
}

std::size_t LaneConv::scratch_bytes() const noexcept {
  return cut_scratch(shape(), *packed_, input_layout().planes, nullptr).bytes;
}

bool LaneConv::prefers_integers(const RankCodes& ranks, const ActivationLayout& out) const noexcept {
  return ranks.count <= 1 || compares_in_lanes(*kernels_, shape(), ranks, out);
}

void LaneConv::run(const PackedActivations& input, RowRange rows, const EpilogueKernels& epilogues,
                   const Epilogue& epilogue, std::byte* scratch) const noexcept {
  assert(input.layout == input_layout());
  const LaneScratch arrays = cut_scratch(shape(), *packed_, input_layout().planes, scratch);
  const BandRunner runner(*kernels_, shape(), *packed_, input, arrays);
  const BandLoop loop{shape(), packed_->geometry.band_rows, rows};
  if (epilogue.kind == EpilogueKind::Planes && epilogue.integer.thresholds != nullptr &&
      compares_in_lanes(*kernels_, shape(), epilogue.ranks, epilogue.layout)) {
    const LaneThresholds thresholds(epilogue, shape().out_channels, packed_->geometry.granule_bytes);
    const LaneCodes codes = thresholds.codes(epilogue, arrays, *packed_);
    for_bands(
        loop, [&](const PictureRows& band) { runner.run(band, codes); },
        [&](std::size_t row, std::size_t index) { write_codes(epilogue, codes, *packed_, row, index); });
    return;
  }
  const bool integers = epilogue.integer.thresholds != nullptr;
  float* const z = integers ? nullptr : arrays.row;
  auto* const of_row = integers ? reinterpret_cast<std::int32_t*>(arrays.row) : nullptr;
  for_bands(
      loop, [&](const PictureRows& band) { runner.run(band, {}); },
      [&](std::size_t row, std::size_t index) {
        runner.write_row(index, z, of_row);
        epilogues.apply(epilogue, {.z = z,
                                   .integers = of_row,
                                   .row = row,
                                   .pixels = shape().out_width(),
                                   .channels = shape().out_channels});
      });
}

void LaneConv::run_integer(const PackedActivations& input, RowRange rows, std::int32_t* out,
                           std::byte* scratch) const noexcept {
  assert(input.layout == input_layout());
  const LaneScratch arrays = cut_scratch(shape(), *packed_, input_layout().planes, scratch);
  const BandRunner runner(*kernels_, shape(), *packed_, input, arrays);
  const std::size_t row_size = shape().out_width() * shape().out_channels;
  for_bands(
      {shape(), packed_->geometry.band_rows, rows}, [&](const PictureRows& band) { runner.run(band, {}); },
      [&](std::size_t row, std::size_t index) {
        runner.write_row(index, nullptr, out + (row - rows.begin) * row_size);
      });
}

}  // namespace bitplane::kernels
