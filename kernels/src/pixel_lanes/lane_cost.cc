// SPDX-License-Identifier: Apache-2.0
#include <cstddef>

#include "pixel_lanes/packed_lanes.h"

namespace bitplane::kernels {
namespace {

/// Nanoseconds.
struct LanePrices {
  double word;       ///< Counted: a register of one plane pair and tap; Tables: one addition of a register
  double lone_word;  ///< the same for a register that is alone in its tile
  double far_word;   ///< the same where the tables of a tile do not fit the first-level cache
  double total;      ///< of a register of one output channel, beside its words
  double table;      ///< the 16 sums of a quad at a register of positions
  double output;     ///< transposition and epilogue
  double row;        ///< of the input, a plane of it
};

/// One core of a Zen 4 at 3.7 GHz.
constexpr LanePrices kCountedPrices{.word = 0.41,
                                    .lone_word = 0.41,
                                    .far_word = 0.41,
                                    .total = 2.0,
                                    .table = 0.0,
                                    .output = 0.15,
                                    .row = 12.0};
constexpr LanePrices kTablesPrices{.word = 0.23,
                                   .lone_word = 0.31,
                                   .far_word = 0.41,
                                   .total = 2.0,
                                   .table = 6.0,
                                   .output = 0.2,
                                   .row = 12.0};
constexpr std::size_t kTableTile = 3;  // registers
constexpr std::size_t kNearBytes = 28 * 1024;

std::size_t divide_up(std::size_t value, std::size_t by) {
  return (value + by - 1) / by;
}

double number(std::size_t n) {
  return static_cast<double>(n);
}

}  // namespace

double bands_cost(const LaneKernels& kernels, const BitConvSpec& spec,
                  const LaneGeometry& geometry) noexcept {
  const ConvShape& shape = spec.shape;
  const bool counted = kernels.method == LaneMethod::Counted;
  const LanePrices& prices = counted ? kCountedPrices : kTablesPrices;
  const std::size_t height = shape.out_height(), width = shape.out_width();
  const std::size_t group_channels = shape.out_channels / shape.groups;
  const double channels =
      number(counted ? divide_up(group_channels, kLaneChannelTile) * kLaneChannelTile : group_channels);
  const double words =
      number(spec.weights.planes * shape.taps() * (counted ? spec.activation_planes : geometry.quads));
  const std::size_t window = (kTableTile * geometry.lanes + geometry.last_tap) * geometry.quads * 16;
  const double word = !counted && window > kNearBytes ? prices.far_word : prices.word;
  /// One group of a band of so many rows.
  const auto band = [&](std::size_t rows) {
    const std::size_t registers = geometry.positions(rows, width) / geometry.lanes;
    const double lone = !counted && registers % kTableTile == 1 ? 1.0 : 0.0;
    const std::size_t tables =
        counted ? 0 : divide_up(geometry.read_positions(width), geometry.lanes) * geometry.quads;
    return channels * (words * ((number(registers) - lone) * word + lone * prices.lone_word) +
                       number(registers) * prices.total) +
           number(tables) * prices.table +
           number((rows + geometry.span_rows - 1) * spec.activation_planes) * prices.row;
  };
  const std::size_t left = height % geometry.band_rows;
  const double bands =
      number(height / geometry.band_rows) * band(geometry.band_rows) + (left == 0 ? 0.0 : band(left));
  return number(shape.batch) *
         (number(shape.groups) * bands + number(height * width * shape.out_channels) * prices.output);
}

double lanes_cost(const LaneKernels& kernels, const BitConvSpec& spec) noexcept {
  return bands_cost(kernels, spec, lane_geometry(kernels, spec));
}

}  // namespace bitplane::kernels
