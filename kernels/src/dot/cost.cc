// SPDX-License-Identifier: Apache-2.0
#include "dot/cost.h"

#include <algorithm>

namespace bitplane::kernels {
namespace {

std::size_t divide_up(std::size_t value, std::size_t by) {
  return (value + by - 1) / by;
}

// The same for all instruction sets: read bandwidth beyond the second-level cache, a call.
constexpr double kCachedBytes = 1024 * 1024, kNsPerByte = 0.045, kNsPerCall = 50.0;
constexpr std::size_t kByte = 8;

/// Bits of a packed weight; 16-bit elements take twice the steps of bytes, and eight bits of each byte.
std::size_t code_bits(std::size_t planes, std::size_t element_bytes) {
  return element_bytes != 1 || planes > 4 ? 8 : planes > 2 ? 4 : planes;
}

/// Tiles of one chunk and group: blocks of channels times groups of pixels.
double tiles_of(const DotGeometry& geometry, std::size_t pixels, const DotRates& rates) {
  const std::size_t registers = geometry.stride() / geometry.kernels->lanes;
  return static_cast<double>(divide_up(registers, geometry.most_registers()) *
                             divide_up(pixels, rates.tile_pixels));
}

}  // namespace

DotRanges value_ranges(const BitConvSpec& spec) noexcept {
  return {value_range(spec.weight_encoding, {spec.weight_multiples, spec.weights.planes}),
          value_range(spec.activation_encoding, {spec.activation_multiples, spec.activation_planes})};
}

double dot_cost(const DotKernels& kernels, const DotRates& rates, const BitConvSpec& spec) noexcept {
  const ConvShape& shape = spec.shape;
  const DotRanges ranges = value_ranges(spec);
  const DotGeometry geometry{&kernels, choose_format(kernels, ranges), shape};
  const DotRuns runs = runs_of(geometry);
  const std::size_t steps = runs.count * runs.steps, pixels = shape.out_pixels();
  const std::size_t registers = geometry.stride() / kernels.lanes;
  const auto groups = static_cast<double>(shape.groups);

  const double products = static_cast<double>(steps * registers * pixels) * groups;
  const double widened = geometry.format->lane_sums == LaneSums::Widen
                             ? products / static_cast<double>(lane_steps(*geometry.format, ranges))
                             : 0.0;
  const std::size_t chunks = divide_up(steps, std::min(steps, chunk_steps(geometry, ranges)));
  const double tiles = static_cast<double>(chunks) * tiles_of(geometry, pixels, rates) * groups;

  const std::size_t rows = shape.batch * shape.out_height();
  const auto strips = static_cast<double>(divide_up(rows, geometry.strip_rows()));
  const double registers_read = strips * static_cast<double>(steps * registers) * groups;
  const std::size_t bits = code_bits(spec.weights.planes, geometry.format->element_bytes);
  const double expanded = bits < 8 ? registers_read * rates.expanded : 0.0;
  // Weights that no cache holds come at the pace of memory, whatever else is done meanwhile.
  const double bytes =
      registers_read * static_cast<double>(kernels.lanes * kStepBytes * std::min(bits, kByte) / kByte);
  const double memory = bytes > strips * kCachedBytes ? bytes * kNsPerByte : 0.0;
  const double multiply =
      std::max(products * rates.product + widened * rates.widened + tiles * rates.tile + expanded, memory);

  const std::size_t input_rows = std::min(shape.batch * shape.height, rows * geometry.span_rows());
  const double row_registers = static_cast<double>(geometry.row_bytes() * spec.activation_planes) /
                               static_cast<double>(kernels.lanes * kStepBytes);
  const double expand =
      static_cast<double>(input_rows) * groups * (rates.row + row_registers * rates.expanded);
  return kNsPerCall + multiply + expand + static_cast<double>(pixels * shape.out_channels) * rates.output;
}

}  // namespace bitplane::kernels
