// SPDX-License-Identifier: Apache-2.0
//
// The prices are a least squares fit (of relative errors) to the processor time of the fastest of many runs
// of 23 layers (small nets, ResNet-18, GEMM, few pixels) at 11 pairs of widths, on one core of a Zen 4 at 3.7
// GHz. The fit is within 32 %. The prices of an output and of a single pixel were set later, from whole
// layers between quantizers: within 18 % from 1/1 to 2/2, except for 1x1 layers.
#include "lut/lut_cost.h"

#include <algorithm>
#include <cstddef>

#include "bitserial/gather.h"
#include "lut/packed_weight_tables.h"
#include "lut/part_tables.h"

namespace bitplane::kernels {
namespace {

/// Nanoseconds.
struct Prices {
  double look_up = 0.0;   ///< of one register, and its addition
  double widening = 0.0;  ///< of one register
  double table = 0.0;     ///< one part of it
  double gather = 0.0;    ///< a word of a window
  double sum = 0.0;       ///< a word of a window whose values are summed
  double output = 0.0, pixel = 0.0;
};

/// What is paid, and how often.
struct Counts {
  double groups = 0.0;                  ///< of elements, in one window
  double registers = 0.0, tiles = 0.0;  ///< that each group passes through, over all pixels
  double widen_every = 1.0, parts = 1.0;
  double gathered = 0.0, summed = 0.0;  ///< words
};

Prices activation_prices(const LutLayout& lut) {
  if (lut.group_bits == 6) {
    return {.look_up = 0.23,
            .widening = 0.83,
            .table = 0.355,
            .gather = 0.365,
            .sum = 0.325,
            .output = 0.16,
            .pixel = 26.0};
  }
  if (lut.lanes == kLutLayoutNeon.lanes) {  // counted, not measured: two vector pipes at 2.5 GHz
    return {.look_up = 0.4,
            .widening = 0.9,
            .table = 0.25,
            .gather = 0.8,
            .sum = 0.5,
            .output = 0.5,
            .pixel = 30.0};
  }
  return {.look_up = 0.108,
          .widening = 0.56,
          .table = 0.163,
          .gather = 0.60,
          .sum = 0.34,
          .output = 0.30,
          .pixel = 22.0};
}
constexpr Prices kWeightPrices{.look_up = 0.115,
                               .widening = 0.755,
                               .table = 0.13,
                               .gather = 0.65,
                               .sum = 1.16,
                               .output = 0.56,
                               .pixel = 8.2};

double total(const Prices& prices, const Counts& counts, const ConvShape& shape) {
  const double pixels = static_cast<double>(shape.out_pixels());
  return counts.groups * (counts.registers * (prices.look_up + prices.widening / counts.widen_every) +
                          counts.tiles * counts.parts * prices.table) +
         counts.gathered * prices.gather + counts.summed * prices.sum +
         pixels * static_cast<double>(shape.out_channels) * prices.output +
         pixels * static_cast<double>(shape.groups) * prices.pixel;
}

std::size_t divide_up(std::size_t value, std::size_t by) {
  return (value + by - 1) / by;
}

ActivationLayout input_of(const BitConvSpec& spec) {
  return {.channels = spec.shape.channels, .planes = spec.activation_planes, .groups = spec.shape.groups};
}

/// Tiles that the registers of `blocks` are cut into (cut_into_units in packed_lut.cc).
double tiles_of(const LutLayout& lut, std::size_t blocks, std::size_t planes) {
  const std::size_t per_unit = std::max<std::size_t>(1, lut.tile_registers / planes);
  const auto tiles = [&](std::size_t registers) {
    std::size_t count = 0;
    for (; registers != 0; registers -= lut.next_tile(registers)) ++count;
    return count;
  };
  return static_cast<double>(blocks / per_unit * tiles(per_unit * planes) +
                             tiles(blocks % per_unit * planes));
}

/// Of one window.
double groups_of(const LutLayout& lut, const BitConvSpec& spec) {
  return static_cast<double>(divide_up(spec.shape.taps() * input_of(spec).pixel_bits(), lut.group_bits));
}

// One pixel with tables of 16 entries: the look-ups of S6 and S7 take 0.84 of what tiles take, until the
// weights no longer fit the third-level cache's share (18.9 MB: 16 bytes/ns).
constexpr double kSinglePixel = 0.84, kUncachedBytes = 16.0 * 1024 * 1024, kNsPerUncachedByte = 0.05;

double reading_cost(const BitConvSpec& spec) {
  const double bytes =
      static_cast<double>(spec.shape.out_channels * spec.shape.filter_size() * spec.weights.planes) / 8.0;
  return bytes > kUncachedBytes ? bytes * kNsPerUncachedByte : 0.0;
}

/// Words of all windows.
double window_words_of(const BitConvSpec& spec) {
  return static_cast<double>(spec.shape.out_pixels() * spec.shape.groups * spec.activation_planes *
                             window_words(spec.shape, input_of(spec)));
}

}  // namespace

double activation_tables_cost(const LutLayout& lut, const BitConvSpec& spec) noexcept {
  const ConvShape& shape = spec.shape;
  const std::size_t planes = spec.weights.planes;
  // A tile takes 4 or 2 pixels; what is left over runs in tiles that share indices less.
  const std::size_t pixels = shape.out_pixels() + shape.out_pixels() % 4;
  const auto windows = static_cast<double>(pixels * shape.groups);
  const std::size_t blocks = divide_up(shape.out_channels / shape.groups, lut.lanes);
  const double words = window_words_of(spec);
  const bool in_place = shape.taps() == 1 && input_of(spec).pixel_bits() % 64 == 0;
  const double cost = total(activation_prices(lut),
                            {.groups = groups_of(lut, spec),
                             .registers = windows * static_cast<double>(blocks * planes),
                             .tiles = windows * tiles_of(lut, blocks, planes),
                             .widen_every = static_cast<double>(
                                 lut_widen_every(lut, {spec.activation_multiples, spec.activation_planes})),
                             .parts = static_cast<double>(lut_parts(spec.activation_planes)),
                             .gathered = in_place ? 0.0 : words,
                             .summed = spec.weight_encoding == Encoding::Bipolar ? words : 0.0},
                            shape);
  if (lut.group_bits == 6 || shape.out_pixels() > 1) return cost;
  return std::max(cost * kSinglePixel, reading_cost(spec));
}

double weight_tables_cost(const LutLayout& lut, const BitConvSpec& spec) noexcept {
  const ConvShape& shape = spec.shape;
  const std::size_t rows = weight_tables_rows(lut, shape);
  const std::size_t strips = divide_up(shape.batch * shape.out_height(), rows);
  const std::size_t registers = divide_up(rows * shape.out_width(), lut.lanes) * spec.activation_planes;
  const std::size_t channels = divide_up(shape.out_channels / shape.groups, 8) * 8;
  const auto passes = static_cast<double>(strips * channels * shape.groups);
  const double words = window_words_of(spec);
  return total(
      kWeightPrices,
      {.groups = groups_of(lut, spec),
       .registers = passes * static_cast<double>(registers),
       .tiles = passes * static_cast<double>(divide_up(registers, lut.tile_registers)),
       .widen_every = static_cast<double>(lut_widen_every(lut, {spec.weight_multiples, spec.weights.planes})),
       .parts = static_cast<double>(lut_parts(spec.weights.planes)),
       .gathered = words,
       .summed = weight_tables_window_factor(spec) != 0 ? words : 0.0},
      shape);
}

}  // namespace bitplane::kernels
