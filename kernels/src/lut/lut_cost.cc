// SPDX-License-Identifier: Apache-2.0
//
// The prices are a least squares fit (of relative errors) to the fastest of many runs of 23 layers (small
// nets, ResNet-18, GEMM, few pixels) at 11 pairs of widths, on one core of a Zen 4 at 3.7 GHz. The fit is
// within 25 % everywhere but on products of 1 or 2 pixels (up to a factor of 2).
#include "lut/lut_cost.h"

#include <cstddef>
#include <span>

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
    return {.look_up = 0.17,
            .widening = 0.86,
            .table = 0.45,
            .gather = 0.2,
            .sum = 0.3,
            .output = 0.18,
            .pixel = 30.0};
  }
  return {.look_up = 0.113,
          .widening = 0.64,
          .table = 0.16,
          .gather = 0.54,
          .sum = 0.3,
          .output = 0.28,
          .pixel = 25.0};
}
constexpr Prices kWeightPrices{.look_up = 0.104,
                               .widening = 0.70,
                               .table = 0.16,
                               .gather = 1.1,
                               .sum = 0.83,
                               .output = 0.39,
                               .pixel = 9.0};

double total(const Prices& prices, const Counts& counts, const ConvShape& shape) {
  const double pixels = static_cast<double>(shape.out_pixels());
  return counts.groups * (counts.registers * (prices.look_up + prices.widening / counts.widen_every) +
                          counts.tiles * counts.parts * prices.table) +
         counts.gathered * prices.gather + counts.summed * prices.sum +
         pixels * static_cast<double>(shape.out_channels) * prices.output +
         pixels * static_cast<double>(shape.groups) * prices.pixel;
}

double divide_up(std::size_t value, std::size_t by) {
  return static_cast<double>((value + by - 1) / by);
}

ActivationLayout input_of(const BitConvSpec& spec) {
  return {.channels = spec.shape.channels, .planes = spec.activation_planes, .groups = spec.shape.groups};
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
  // A tile takes 4 pixels; what is left over runs in tiles that share indices less.
  const std::size_t pixels = shape.out_pixels() + shape.out_pixels() % 4;
  const double windows = static_cast<double>(pixels * shape.groups);
  const double blocks = divide_up(shape.out_channels / shape.groups, lut.lanes);
  const double words = window_words_of(spec);
  const bool in_place = shape.taps() == 1 && input_of(spec).pixel_bits() % 64 == 0;
  return total(activation_prices(lut),
               {.groups = divide_up(shape.taps() * input_of(spec).pixel_bits(), lut.group_bits),
                .registers = windows * blocks * static_cast<double>(planes),
                .tiles = windows * (planes == 1 ? (blocks + 1.0) / 2.0 : blocks * divide_up(planes, 2)),
                .widen_every = static_cast<double>(
                    lut_widen_every(lut, {spec.activation_multiples, spec.activation_planes})),
                .parts = static_cast<double>(lut_parts(spec.activation_planes)),
                .gathered = in_place ? 0.0 : words,
                .summed = spec.weight_encoding == Encoding::Bipolar ? words : 0.0},
               shape);
}

double weight_tables_cost(const LutLayout& lut, const BitConvSpec& spec) noexcept {
  const ConvShape& shape = spec.shape;
  const std::size_t planes = spec.activation_planes, rows = weight_tables_rows(lut, shape);
  const double strips = divide_up(shape.batch * shape.out_height(), rows);
  const double blocks = strips * divide_up(rows * shape.out_width(), lut.lanes);
  const double channels = divide_up(shape.out_channels / shape.groups, 8) * 8.0;
  const double passes = channels * static_cast<double>(shape.groups);
  const double words = window_words_of(spec);
  const bool turned = weight_tables_window_factor(spec) != 0;
  return total(
      kWeightPrices,
      {.groups = divide_up(shape.taps() * input_of(spec).pixel_bits(), lut.group_bits),
       .registers = blocks * static_cast<double>(planes) * passes,
       .tiles = passes * (planes == 1 ? (blocks + 1.0) / 2.0 : blocks * divide_up(planes, 2)),
       .widen_every = static_cast<double>(lut_widen_every(lut, {spec.weight_multiples, spec.weights.planes})),
       .parts = static_cast<double>(lut_parts(spec.weights.planes)),
       .gathered = words,
       .summed = turned ? words : 0.0},
      shape);
}

}  // namespace bitplane::kernels
