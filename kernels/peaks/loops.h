// SPDX-License-Identifier: Apache-2.0
//
// What one core of this machine can do at most. Every loop is one limit of one instruction set on registers
// alone (or, for reading, on one buffer); rows report their share of it, measured in the same run.
//
// The loops are assembly: a compiler must not hoist, reorder or spill them (an array of accumulators cost GCC
// 12 more than half of the rate), and these files have no -m flags. Each keeps enough independent chains to
// hide the latency.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "bitplane/kernels/isa.h"

namespace bitplane::peaks {

inline constexpr std::string_view kBitPeak = "and+popcount+add";
inline constexpr std::string_view kLookupPeak = "table look-up+add";
inline constexpr std::string_view kInt8Peak = "int8 dot product";
/// Sums of few bits fit 16 bits for a while: no widening multiplication per product.
inline constexpr std::string_view kNarrowInt8Peak = "int8 dot product, 16-bit sums";
inline constexpr std::string_view kFmaPeak = "f32 fma";
inline constexpr std::string_view kBf16Peak = "bf16 dot product";

struct PeakLoop {
  std::string_view name;
  kernels::Isa isa;
  std::string_view instructions;  ///< for people
  std::string_view unit;          ///< of work * 1e-9 per second
  double work;                    ///< of one call
  void (*run)();
};

/// Rounds of every loop: some 10 to 100 microseconds.
inline constexpr double kPeakRounds = 5000;

[[nodiscard]] std::span<const PeakLoop> float_loops();
/// The fewest operations per pair of bits that a kernel can need: on AVX2, nibbles are split beforehand.
[[nodiscard]] std::span<const PeakLoop> bit_loops();
/// A look-up and the addition of its bytes count as the weight-plane MACs that family `lut` can get of them:
/// 32 rows x 4 weight bits per pshufb, 64 rows x 6 weight bits per vpermb.
[[nodiscard]] std::span<const PeakLoop> lookup_loops();
[[nodiscard]] std::span<const PeakLoop> int8_loops();

/// Reads `bytes` (a multiple of 1024) from `data`, 64-byte aligned, in order, with the widest loads of the
/// ISA. False: there is no such loop for the ISA.
[[nodiscard]] bool can_read(kernels::Isa isa);
void read_once(kernels::Isa isa, const std::byte* data, std::size_t bytes);

}  // namespace bitplane::peaks
