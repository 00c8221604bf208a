// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cassert>

#include "bitplane/kernels/bitserial.h"
#include "bitserial/packed_conv.h"
#include "bitserial/strip.h"
#include "bitserial/tile.h"

namespace bitplane::kernels {
namespace {

/// Where the results of consecutive output pixels go, as one of three.
struct Output {
  float* z = nullptr;
  std::int32_t* integers = nullptr;
  TilePassed passed{};     ///< from the first channel on
  ChannelAffine affine{};  ///< of z, where it is applied on the way

  /// `pixels` pixels and `channels` channels further on, in rows of `row_channels`.
  [[nodiscard]] Output from(std::size_t pixels, std::size_t channels,
                            std::size_t row_channels) const noexcept {
    const std::size_t at = pixels * row_channels + channels;
    Output out = *this;
    if (z != nullptr) out.z += at;
    if (integers != nullptr) out.integers += at;
    if (passed.bits != nullptr) out.passed.bits += at / 8;
    if (passed.integer_thresholds != nullptr) {
      out.passed.integer_thresholds += channels;
      out.passed.flip += channels;
    }
    return out;
  }
};

class StripRunner {
 public:
  StripRunner(const BitSerialKernels& kernels, const ConvView& view, const StripScratch& scratch)
      : kernels_(kernels), view_(view), scratch_(scratch) {}

  /// At most packed.strip.rows output rows into `out`: [row][pixel][out channel].
  void run_rows(const OutputRows& rows, const Output& out) const noexcept {
    const auto& [shape, packed, input] = view_;
    const std::size_t pixels = rows.rows * shape.out_width(), per_group = shape.out_channels / shape.groups;
    prepare_rows(view_, rows, scratch_);
    for (std::size_t first = 0; first < pixels; first += packed.strip.pixels) {
      const StripRange range{rows, first, std::min(packed.strip.pixels, pixels - first)};
      for (std::size_t group = 0; group < shape.groups; ++group) {
        prepare_strip(kernels_, view_, group, range, scratch_);
        run_group(group, range.count, out.from(first, group * per_group, shape.out_channels));
      }
    }
  }

 private:
  void run_group(std::size_t group, std::size_t pixels, const Output& out) const noexcept {
    const PackedBitConv& packed = view_.packed;
    const std::size_t planes = packed.weight_planes;
    for (const ChannelBlock& block : packed.blocks) {
      BitTile tile = group_tile(group);
      if (out.affine.scale != nullptr) {
        tile.scale = out.affine.scale + group * packed.stride;
        tile.shift = out.affine.shift + group * packed.stride;
      }
      tile.weights =
          packed.weights.data() + (group * packed.stride + block.first) * planes * packed.windows.words;
      tile.first_channel = block.first;
      if (block.first == 0 && packed.counts_in_tiles()) tile.pixel_factors = packed.pixel_factors.data();
      tile.channels = block.channels;
      const auto& functions = kernels_.run_tile[static_cast<std::size_t>(packed.op)][block.register_index];
      std::size_t first = 0;
      for (std::size_t size = 0; size < kMaxPixelSizes && kernels_.pixel_sizes[size] != 0; ++size) {
        const std::size_t width = kernels_.pixel_sizes[size];
        tile.tiles = (pixels - first) / width;
        if (tile.tiles == 0) continue;
        move_to(tile, first, out);
        functions[size](tile);
        first += tile.tiles * width;
      }
    }
  }

  [[nodiscard]] BitTile group_tile(std::size_t group) const noexcept {
    const auto& [shape, packed, input] = view_;
    const std::size_t stride = packed.stride, terms = packed.terms.size();
    BitTile tile;
    tile.words = packed.windows.words;
    tile.word_offsets = packed.windows.word_offsets.data();
    tile.words_side_by_side = packed.windows.word_offsets.back() == (tile.words - 1) * sizeof(std::uint64_t);
    tile.weight_planes = packed.weight_planes;
    tile.activation_planes = input.layout.planes;
    tile.plane_stride = packed.windows.plane_stride;
    tile.steps = packed.schedule.steps.data();
    tile.terms = packed.schedule.terms.data();
    tile.term_count = terms;
    if (packed.coefficients.size() != 0)
      tile.coefficients = packed.coefficients.data() + group * terms * stride;
    if (packed.minuends.size() != 0) tile.minuends = packed.minuends.data() + group * terms * stride;
    if (packed.weight_offset.size() != 0) tile.weight_offset = packed.weight_offset.data() + group * stride;
    tile.activation_offset = packed.activation_offset;
    tile.stride = stride;
    tile.pixel_stride = shape.out_channels;
    return tile;
  }

  /// Points the per-pixel operands at pixel `first` of the strip.
  void move_to(BitTile& tile, std::size_t first, const Output& out) const noexcept {
    const PackedBitConv& packed = view_.packed;
    tile.pixels = scratch_.pixels + first;
    if (packed.has_pixel_terms()) tile.pixel_terms = scratch_.pixel_terms + first * packed.terms.size();
    if (packed.channel_terms.size() != 0) tile.channel_terms = scratch_.channel_terms + first;
    if (packed.weight_sums.size() != 0) tile.weight_sums = scratch_.weight_sums + first;
    tile.activation_sums = scratch_.activation_sums + first;
    const Output to = out.from(first, tile.first_channel, view_.shape.out_channels);
    tile.z = to.z;
    tile.integers = to.integers;
    tile.passed = to.passed;
  }

  const BitSerialKernels& kernels_;
  const ConvView& view_;
  const StripScratch& scratch_;
};

}  // namespace

BitConv::BitConv(const BitSerialKernels& kernels, const BitConvSpec& spec)
    : LowBitConv(spec),
      kernels_(&kernels),
      packed_(std::make_shared<const PackedBitConv>(make_packed_conv(kernels, spec, input_layout()))) {}

std::size_t BitConv::packed_bytes() const noexcept {
  return packed_->weights.bytes() + packed_->coefficients.bytes() + packed_->weight_offset.bytes() +
         packed_->channel_terms.bytes() + packed_->minuends.bytes() + packed_->weight_sums.bytes();
}

std::size_t BitConv::scratch_bytes() const noexcept {
  return cut_scratch(shape(), *packed_, input_layout().planes, nullptr).bytes;
}

namespace {

/// Rows [row, row + rows) of z or of integers through the epilogue.
void apply_rows(const EpilogueKernels& epilogues, const Epilogue& epilogue, const EpilogueRow& first,
                std::size_t rows) noexcept {
  // Floats and ranks of consecutive rows lie one after the other: one call, as if all were one row.
  if (epilogue.kind != EpilogueKind::Planes) {
    const std::size_t row_size = first.pixels * first.channels, offset = first.row * row_size;
    Epilogue from_here = epilogue;
    if (epilogue.residual != nullptr) from_here.residual += offset;
    if (epilogue.out != nullptr) from_here.out += offset - epilogue.first_row * row_size;
    if (epilogue.out_ranks != nullptr) from_here.out_ranks += offset;
    from_here.first_row = 0;  // everything begins at this row now
    EpilogueRow all = first;
    all.row = 0;
    all.pixels = rows * first.pixels;
    return epilogues.apply(from_here, all);
  }
  EpilogueRow row = first;
  for (std::size_t r = 0; r < rows; ++r, ++row.row) {
    epilogues.apply(epilogue, row);
    if (row.z != nullptr) row.z += row.pixels * row.channels;
    if (row.integers != nullptr) row.integers += row.pixels * row.channels;
    if (row.passed.bits != nullptr) row.passed.bits += row.pixels * row.channels / 8;
  }
}

/// Can the tiles compare with the thresholds, so that neither z nor integers are written at all?
bool compares_in_tiles(const BitSerialKernels& kernels, const ConvShape& shape, const Epilogue& epilogue) {
  return epilogue.kind == EpilogueKind::Planes && epilogue.out == nullptr && epilogue.residual == nullptr &&
         epilogue.after.scale == nullptr && epilogue.ranks.count <= kMostPassed &&
         epilogue.layout.planes <= kMostPassedPlanes && epilogue.layout.group_channels() % 8 == 0 &&
         kernels.passed_channels != 0 && shape.out_channels / shape.groups % kernels.passed_channels == 0;
}

/// Comparisons of `pixels` pixels into `bits`.
Output passed_output(const ConvShape& shape, const Epilogue& epilogue, std::size_t pixels, std::byte* bits) {
  const bool integers = epilogue.integer.thresholds != nullptr;
  const std::size_t pixel_stride = shape.out_channels / 8;
  return {.passed = {.bits = bits,
                     .threshold_stride = pixels * pixel_stride,
                     .pixel_stride = pixel_stride,
                     .count = epilogue.ranks.count,
                     .thresholds = epilogue.ranks.thresholds,
                     .integer_thresholds = epilogue.integer.thresholds,
                     .flip = epilogue.integer.flip,
                     .channel_stride = shape.out_channels},
          .affine = integers ? ChannelAffine{} : epilogue.affine};
}

}  // namespace

void BitConv::run(const PackedActivations& input, RowRange rows, const EpilogueKernels& epilogues,
                  const Epilogue& epilogue, std::byte* scratch) const noexcept {
  assert(input.layout == input_layout());
  const bool no_offsets = packed_->weight_offset.size() == 0 && packed_->weight_sums.size() == 0;
  const bool integers = epilogue.integer.thresholds != nullptr;
  assert(!integers || (no_offsets && packed_->combination == Combination::UniformBoth));
  const ConvView view{shape(), *packed_, input};
  const StripScratch arrays = cut_scratch(shape(), *packed_, input_layout().planes, scratch);
  const StripRunner runner(*kernels_, view, arrays);
  const std::size_t width = shape().out_width(), row_size = width * shape().out_channels;
  // A plain affine is as cheap as the conversion to float: z does not pass through memory.
  const bool affine_only = no_offsets && epilogue.kind == EpilogueKind::Float &&
                           epilogue.activation == Activation::None && epilogue.residual == nullptr &&
                           epilogue.after.scale == nullptr &&
                           packed_->stride * shape().groups == shape().out_channels;
  const bool in_tiles = compares_in_tiles(*kernels_, shape(), epilogue);
  for (std::size_t row = rows.begin; row < rows.end; row += packed_->strip.rows) {
    const std::size_t count = std::min(packed_->strip.rows, rows.end - row);
    if (affine_only) {
      runner.run_rows({row, count},
                      {.z = epilogue.out + (row - epilogue.first_row) * row_size, .affine = epilogue.affine});
      continue;
    }
    EpilogueRow done{.row = row, .pixels = width, .channels = shape().out_channels};
    if (in_tiles) {
      const Output out = passed_output(shape(), epilogue, count * width, arrays.passed);
      runner.run_rows({row, count}, out);
      done.passed = {out.passed.bits, out.passed.threshold_stride};
      apply_rows(epilogues, epilogue, done, count);
      continue;
    }
    runner.run_rows({row, count}, integers ? Output{.integers = arrays.integers} : Output{.z = arrays.z});
    done.z = integers ? nullptr : arrays.z;
    done.integers = integers ? arrays.integers : nullptr;
    apply_rows(epilogues, epilogue, done, count);
  }
}

void BitConv::run_integer(const PackedActivations& input, RowRange rows, std::int32_t* out,
                          std::byte* scratch) const noexcept {
  assert(input.layout == input_layout() && packed_->combination == Combination::UniformBoth);
  const ConvView view{shape(), *packed_, input};
  const StripScratch arrays = cut_scratch(shape(), *packed_, input_layout().planes, scratch);
  const StripRunner runner(*kernels_, view, arrays);
  const std::size_t row_size = shape().out_width() * shape().out_channels;
  for (std::size_t row = rows.begin; row < rows.end; row += packed_->strip.rows) {
    runner.run_rows({row, std::min(packed_->strip.rows, rows.end - row)},
                    {.integers = out + (row - rows.begin) * row_size});
  }
}

}  // namespace bitplane::kernels
