// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cassert>

#include "bitplane/kernels/lut.h"
#include "lut/packed_lut.h"
#include "lut/strip.h"

namespace bitplane::kernels {
namespace {

/// The arrays of a running convolution, cut from the caller's scratch.
struct LutScratch {
  std::byte* windows = nullptr;         ///< [pixel][plane][word]
  std::uint16_t* codes = nullptr;       ///< [pixel][part][group]
  std::int32_t* pixel_terms = nullptr;  ///< [pixel]
  std::uint16_t* sums = nullptr;        ///< of a unit and the pixels of a tile
  std::int32_t* partial = nullptr;      ///< likewise
  std::byte* row_results = nullptr;     ///< see LutEpilogue
  std::size_t bytes = 0;                ///< all of it
};

/// Of the tiles of a unit: the largest tile of the unit decides.
const std::size_t (&pixel_sizes(const LutKernels& kernels, std::size_t unit_registers))[kMaxLutPixelSizes] {
  return kernels.pixel_sizes[lut_register_size(kernels.layout.next_tile(unit_registers))];
}

LutScratch cut_scratch(const LutKernels& kernels, const ConvShape& shape, const PackedLutConv& packed,
                       std::size_t planes, std::byte* base) {
  LutScratch scratch;
  ScratchCutter cutter(base);
  const std::size_t pixels = packed.strip_pixels;
  std::size_t tile = 0;  // registers x pixels
  for (const LutUnit& unit : packed.units) {
    tile = std::max(tile, unit.registers * pixel_sizes(kernels, unit.registers)[0]);
  }
  cutter.take(scratch.windows, packed.in_place ? 0 : pixels * planes * packed.words * sizeof(std::uint64_t));
  cutter.take(scratch.codes, pixels * packed.pixel_codes());
  cutter.take(scratch.pixel_terms, pixels);
  cutter.take(scratch.sums, tile * kernels.layout.lanes);
  cutter.take(scratch.partial, packed.groups > packed.chunk_groups ? tile * kernels.layout.lanes : 0);
  cutter.take(scratch.row_results,
              packed.strip_rows * shape.out_width() * shape.out_channels * sizeof(float));
  scratch.bytes = cutter.bytes();
  return scratch;
}

class LutRunner {
 public:
  LutRunner(const LutKernels& kernels, const ConvShape& shape, const PackedLutConv& packed,
            const PackedActivations& input, const LutScratch& scratch)
      : kernels_(kernels), shape_(shape), packed_(packed), input_(input), scratch_(scratch) {
    // Read once: a segment may be a single pixel.
    const ActivationLayout& layout = input.layout;
    window_ = {.plane_stride = packed.plane_stride(layout),
               .planes = layout.planes,
               .words = packed.words,
               .part_stride = packed.part_stride};
    picture_bytes_ = layout.picture_bytes();
    row_step_ = shape.stride_h * layout.row_bytes();
    group_bytes_ = layout.planes * layout.plane_stride();
    window_step_ = packed.in_place ? shape.stride_w * layout.pixel_bytes()
                                   : layout.planes * packed.words * sizeof(std::uint64_t);
  }

  /// Output rows [row, row + rows), at most packed.strip_rows, into `out`: [row][pixel][out channel].
  void run_rows(std::size_t row, std::size_t rows, const LutOutput& out) const noexcept {
    const std::size_t pixels = rows * shape_.out_width(), per_group = shape_.out_channels / shape_.groups;
    for (std::size_t first = 0; first < pixels; first += packed_.strip_pixels) {
      const std::size_t count = std::min(packed_.strip_pixels, pixels - first);
      for (std::size_t group = 0; group < shape_.groups; ++group) {
        for_segments(shape_, row, first, count,
                     [&](const RowSegment& segment, std::size_t at) { encode_segment(group, segment, at); });
        const LutOutput strip_out = out.at(first * shape_.out_channels + group * per_group);
        for (const LutUnit& unit : packed_.units) run_unit(group, unit, count, strip_out);
      }
    }
  }

 private:
  /// Codes and pixel terms of a segment, from pixel `at` of the strip on.
  void encode_segment(std::size_t group, const RowSegment& segment, std::size_t at) const noexcept {
    const std::byte* windows = scratch_.windows;
    if (packed_.in_place) {
      windows = input_.data + segment.picture * picture_bytes_ + segment.y * row_step_ +
                group * group_bytes_ + segment.x * window_step_;
    } else {
      gather_windows(shape_, packed_.border, input_, group, segment, scratch_.windows);
    }
    LutWindow window = window_;
    for (std::size_t i = 0; i < segment.count; ++i) {
      window.bits = windows + i * window_step_;
      window.codes = scratch_.codes + (at + i) * packed_.pixel_codes();
      kernels_.encode(window);
      if (packed_.window_factor == 0) {
        scratch_.pixel_terms[at + i] = 0;
        continue;
      }
      // Modulo 2^32, as everything that adds up to A.
      const std::int32_t sum = kernels_.sum_window(window, packed_.activation_multiples.data());
      scratch_.pixel_terms[at + i] = static_cast<std::int32_t>(
          static_cast<std::uint32_t>(packed_.window_factor) * static_cast<std::uint32_t>(sum));
    }
  }

  /// One unit on all pixels of the strip, by tiles.
  void run_unit(std::size_t group, const LutUnit& unit, std::size_t pixels,
                const LutOutput& out) const noexcept {
    const std::uint8_t* indices = packed_.indices.data() + group * packed_.group_indices + unit.indices;
    const auto& sizes = pixel_sizes(kernels_, unit.registers);
    std::size_t first = 0;
    for (std::size_t size = 0; size < kMaxLutPixelSizes && sizes[size] != 0; ++size) {
      for (; first + sizes[size] <= pixels; first += sizes[size]) {
        run_pixels(unit, indices, {.first = first, .count = sizes[size]},
                   out.at(first * shape_.out_channels + unit.first_channel));
      }
    }
  }

  struct PixelRange {
    std::size_t first = 0, count = 0;
  };

  void run_pixels(const LutUnit& unit, const std::uint8_t* indices, const PixelRange& pixels,
                  const LutOutput& out) const noexcept {
    const std::size_t partial_stride = unit.registers / packed_.factors.size() * kernels_.layout.lanes;
    for (std::size_t begin = 0; begin < packed_.groups; begin += packed_.chunk_groups) {
      const std::size_t groups = std::min(packed_.chunk_groups, packed_.groups - begin);
      for (std::size_t reg = 0; reg < unit.registers;) {
        const std::size_t registers = kernels_.layout.next_tile(unit.registers - reg);
        run_tile(unit, indices, pixels, {reg, registers, begin, groups});
        reg += registers;
      }
      const bool last = begin + groups == packed_.groups;
      kernels_.finish({.sums = scratch_.sums,
                       .planes = packed_.factors.size(),
                       .pixels = pixels.count,
                       .channels = unit.channels,
                       .factors = packed_.factors.data(),
                       .pixel_terms = scratch_.pixel_terms + pixels.first,
                       .before = begin == 0 ? nullptr : scratch_.partial,
                       .z = last ? out.z : nullptr,
                       .integers = last ? out.integers : scratch_.partial,
                       .out_stride = last ? shape_.out_channels : partial_stride});
    }
  }

  struct TileAt {
    std::size_t first_register = 0, registers = 0, first_group = 0, groups = 0;
  };

  void run_tile(const LutUnit& unit, const std::uint8_t* indices, const PixelRange& pixels,
                const TileAt& at) const noexcept {
    const std::size_t steps = packed_.groups / kernels_.layout.groups_per_byte();
    const std::size_t first_step = at.first_group / kernels_.layout.groups_per_byte();
    const std::size_t register_size = lut_register_size(at.registers);
    const auto& sizes = kernels_.pixel_sizes[register_size];
    const auto size = static_cast<std::size_t>(std::find(std::begin(sizes), std::end(sizes), pixels.count) -
                                               std::begin(sizes));
    kernels_.run_tile[packed_.parts - 1][register_size][size](
        {.indices = indices + (at.first_register * steps + first_step * at.registers) * kernels_.layout.lanes,
         .codes = scratch_.codes + pixels.first * packed_.pixel_codes() + at.first_group,
         .pixel_stride = packed_.pixel_codes(),
         .part_stride = packed_.part_stride,
         .tables = packed_.tables.data(),
         .groups = at.groups,
         .widen_every = packed_.widen_every,
         .sums = scratch_.sums + at.first_register * kernels_.layout.lanes,
         .sum_stride = unit.registers * kernels_.layout.lanes});
  }

  const LutKernels& kernels_;
  const ConvShape& shape_;
  const PackedLutConv& packed_;
  const PackedActivations& input_;
  const LutScratch& scratch_;
  LutWindow window_;
  std::size_t picture_bytes_ = 0, row_step_ = 0, group_bytes_ = 0, window_step_ = 0;
};

}  // namespace

LutConv::LutConv(const LutKernels& kernels, const BitConvSpec& spec)
    : LowBitConv(spec),
      kernels_(&kernels),
      packed_(std::make_shared<const PackedLutConv>(make_packed_lut(kernels.layout, spec, input_layout()))) {}

std::size_t LutConv::packed_bytes() const noexcept {
  return packed_->indices.bytes() + packed_->tables.bytes();
}

std::size_t LutConv::scratch_bytes() const noexcept {
  return cut_scratch(*kernels_, shape(), *packed_, input_layout().planes, nullptr).bytes;
}

void LutConv::run(const PackedActivations& input, RowRange rows, const EpilogueKernels& epilogues,
                  const Epilogue& epilogue, std::byte* scratch) const noexcept {
  assert(input.layout == input_layout());
  const LutScratch arrays = cut_scratch(*kernels_, shape(), *packed_, input_layout().planes, scratch);
  const LutRunner runner(*kernels_, shape(), *packed_, input, arrays);
  run_to_epilogue(shape(), rows, packed_->strip_rows, {epilogues, epilogue, arrays.row_results}, runner);
}

void LutConv::run_integer(const PackedActivations& input, RowRange rows, std::int32_t* out,
                          std::byte* scratch) const noexcept {
  assert(input.layout == input_layout());
  const LutScratch arrays = cut_scratch(*kernels_, shape(), *packed_, input_layout().planes, scratch);
  const LutRunner runner(*kernels_, shape(), *packed_, input, arrays);
  run_to_integers(shape(), rows, packed_->strip_rows, out, runner);
}

}  // namespace bitplane::kernels
