// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cassert>
#include <iterator>

#include "bitplane/kernels/lut.h"
#include "lut/packed_weight_tables.h"
#include "lut/strip.h"

namespace bitplane::kernels {
namespace {

/// The arrays of a running convolution, cut from the caller's scratch. A register is one activation plane of
/// `lanes` pixels of the strip: [block of pixels][plane].
struct LutScratch {
  std::byte* windows = nullptr;         ///< [pixel][plane][word], and 8 bytes that may be read
  std::uint8_t* indices = nullptr;      ///< [tile of 2 or 1 registers][step][register of the tile][pixel]
  std::int32_t* pixel_terms = nullptr;  ///< [pixel]
  std::uint16_t* sums = nullptr;        ///< [channel of those finished together][register][pixel]
  std::byte* row_results = nullptr;     ///< see LutEpilogue
  std::size_t bytes = 0;                ///< all of it
};

LutScratch cut_scratch(const LutKernels& kernels, const ConvShape& shape, const PackedWeightTables& packed,
                       std::byte* base) {
  const std::size_t planes = packed.factors.size(), window = planes * packed.words * sizeof(std::uint64_t);
  LutScratch scratch;
  ScratchCutter cutter(base);
  cutter.take(scratch.windows, packed.strip_pixels * window + sizeof(std::uint64_t));
  cutter.take(scratch.indices,
              packed.strip_pixels * planes * packed.groups / kernels.layout.groups_per_byte());
  cutter.take(scratch.pixel_terms, packed.strip_pixels);
  cutter.take(scratch.sums, kernels.transposed_channels * packed.strip_pixels * planes);
  cutter.take(scratch.row_results,
              packed.strip_rows * shape.out_width() * shape.out_channels * sizeof(float));
  scratch.bytes = cutter.bytes();
  return scratch;
}

class WeightTablesRunner {
 public:
  WeightTablesRunner(const LutKernels& kernels, const ConvShape& shape, const PackedWeightTables& packed,
                     const PackedActivations& input, const LutScratch& scratch)
      : kernels_(kernels), shape_(shape), packed_(packed), input_(input), scratch_(scratch) {}

  /// Output rows [row, row + rows), at most packed.strip_rows, into `out`: [row][pixel][out channel].
  void run_rows(std::size_t row, std::size_t rows, const LutOutput& out) const noexcept {
    const std::size_t pixels = rows * shape_.out_width();
    for (std::size_t first = 0; first < pixels; first += packed_.strip_pixels) {
      const std::size_t count = std::min(packed_.strip_pixels, pixels - first);
      for (std::size_t group = 0; group < shape_.groups; ++group) {
        for_segments(shape_, row, first, count, [&](const RowSegment& segment, std::size_t at) {
          gather_windows(shape_, packed_.border, input_, group, segment,
                         scratch_.windows + at * window_bytes());
        });
        index_strip(count);
        run_group(group, count, out.at(first * shape_.out_channels + group * packed_.group_channels));
      }
    }
  }

 private:
  [[nodiscard]] std::size_t planes() const noexcept { return packed_.factors.size(); }
  [[nodiscard]] std::size_t plane_bytes() const noexcept { return packed_.words * sizeof(std::uint64_t); }
  [[nodiscard]] std::size_t window_bytes() const noexcept { return planes() * plane_bytes(); }
  [[nodiscard]] std::size_t steps() const noexcept {
    return packed_.groups / kernels_.layout.groups_per_byte();
  }
  [[nodiscard]] std::size_t registers(std::size_t pixels) const noexcept {
    return (pixels + kernels_.layout.lanes - 1) / kernels_.layout.lanes * planes();
  }

  void index_strip(std::size_t pixels) const noexcept {
    const std::size_t lanes = kernels_.layout.lanes, count = registers(pixels);
    for (std::size_t reg = 0; reg < count; ++reg) {
      const std::size_t tile = reg / kernels_.layout.tile_registers * kernels_.layout.tile_registers;
      const std::size_t in_tile = kernels_.layout.next_tile(count - tile);
      kernels_.index_windows({.rows = scratch_.windows + reg / planes() * lanes * window_bytes() +
                                      reg % planes() * plane_bytes(),
                              .row_stride = window_bytes(),
                              .words = packed_.words,
                              .steps = steps(),
                              .indices = scratch_.indices + (tile * steps() + reg - tile) * lanes,
                              .index_stride = in_tile * lanes});
    }
    for (std::size_t pixel = 0; pixel < pixels; ++pixel) {
      scratch_.pixel_terms[pixel] = packed_.window_factor == 0 ? 0 : pixel_term(pixel);
    }
  }

  /// Modulo 2^32, as everything that adds up to A.
  [[nodiscard]] std::int32_t pixel_term(std::size_t pixel) const noexcept {
    const std::int32_t sum = kernels_.sum_window({.bits = scratch_.windows + pixel * window_bytes(),
                                                  .plane_stride = plane_bytes(),
                                                  .planes = planes(),
                                                  .words = packed_.words},
                                                 packed_.activation_multiples.data());
    return static_cast<std::int32_t>(static_cast<std::uint32_t>(packed_.window_factor) *
                                     static_cast<std::uint32_t>(sum));
  }

  void run_group(std::size_t group, std::size_t pixels, const LutOutput& out) const noexcept {
    const std::size_t count = registers(pixels), together = kernels_.transposed_channels;
    for (std::size_t channel = 0; channel < packed_.group_channels; channel += together) {
      const std::uint16_t* codes =
          packed_.codes.data() + (group * packed_.padded_channels + channel) * packed_.channel_codes();
      for (std::size_t reg = 0; reg < count; reg += kernels_.layout.tile_registers) {
        run_tiles(codes, reg, kernels_.layout.next_tile(count - reg), count);
      }
      const LutOutput to = out.at(channel);
      kernels_.finish_transposed({.sums = scratch_.sums,
                                  .sum_stride = count * kernels_.layout.lanes,
                                  .planes = planes(),
                                  .pixels = pixels,
                                  .channels = std::min(together, packed_.group_channels - channel),
                                  .factors = packed_.factors.data(),
                                  .pixel_terms = scratch_.pixel_terms,
                                  .z = to.z,
                                  .integers = to.integers,
                                  .out_stride = shape_.out_channels});
    }
  }

  /// 2 or 1 registers on the channels that are finished together: a whole number of the largest tiles.
  void run_tiles(const std::uint16_t* codes, std::size_t reg, std::size_t in_tile,
                 std::size_t count) const noexcept {
    const std::size_t lanes = kernels_.layout.lanes,
                      size = kernels_.pixel_sizes[lut_register_size(in_tile)][0];
    for (std::size_t channel = 0; channel < kernels_.transposed_channels; channel += size) {
      kernels_.run_tile[packed_.parts - 1][lut_register_size(in_tile)][0](
          {.indices = scratch_.indices + reg * steps() * lanes,
           .codes = codes + channel * packed_.channel_codes(),
           .pixel_stride = packed_.channel_codes(),
           .part_stride = packed_.part_stride,
           .tables = packed_.tables.data(),
           .groups = packed_.groups,
           .widen_every = packed_.widen_every,
           .sums = scratch_.sums + (channel * count + reg) * lanes,
           .sum_stride = count * lanes});
    }
  }

  const LutKernels& kernels_;
  const ConvShape& shape_;
  const PackedWeightTables& packed_;
  const PackedActivations& input_;
  const LutScratch& scratch_;
};

}  // namespace

LutWeightTablesConv::LutWeightTablesConv(const LutKernels& kernels, const BitConvSpec& spec)
    : LowBitConv(spec),
      kernels_(&kernels),
      packed_(std::make_shared<const PackedWeightTables>(
          make_packed_weight_tables(kernels, spec, input_layout()))) {}

std::size_t LutWeightTablesConv::packed_bytes() const noexcept {
  return packed_->codes.bytes() + packed_->tables.bytes();
}

std::size_t LutWeightTablesConv::scratch_bytes() const noexcept {
  return cut_scratch(*kernels_, shape(), *packed_, nullptr).bytes;
}

void LutWeightTablesConv::run(const PackedActivations& input, RowRange rows, const EpilogueKernels& epilogues,
                              const Epilogue& epilogue, std::byte* scratch) const noexcept {
  assert(input.layout == input_layout());
  const LutScratch arrays = cut_scratch(*kernels_, shape(), *packed_, scratch);
  const WeightTablesRunner runner(*kernels_, shape(), *packed_, input, arrays);
  run_to_epilogue(shape(), rows, packed_->strip_rows, {epilogues, epilogue, arrays.row_results}, runner);
}

void LutWeightTablesConv::run_integer(const PackedActivations& input, RowRange rows, std::int32_t* out,
                                      std::byte* scratch) const noexcept {
  assert(input.layout == input_layout());
  const LutScratch arrays = cut_scratch(*kernels_, shape(), *packed_, scratch);
  const WeightTablesRunner runner(*kernels_, shape(), *packed_, input, arrays);
  run_to_integers(shape(), rows, packed_->strip_rows, out, runner);
}

}  // namespace bitplane::kernels
