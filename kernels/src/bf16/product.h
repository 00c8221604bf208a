// SPDX-License-Identifier: Apache-2.0
//
// One product of family `bf16`:
//
//   c[r][n] (+)= sum over runs i and elements e of  a[row_offset[r] + run_offset[i] + e] * b[t][n],
//
// t counting the elements of all runs. Runs lie side by side in the left operand and are filled up to whole
// pairs or tiles; the right operand is packed for the kernel with zeros there:
//
//   [block of columns][step][register][16 columns][2 elements]
#pragma once

#include <cstddef>
#include <cstdint>

#include "bf16/bf16_kernels.h"
#include "bitplane/kernels/bf16.h"

namespace bitplane::kernels {

inline constexpr std::size_t kBf16Bytes = 2;

/// Runs of equal length.
struct Bf16Runs {
  std::size_t count = 0, elements = 0;
  [[nodiscard]] std::size_t steps_of_one(const Bf16Kernels& kernels) const noexcept;
  [[nodiscard]] std::size_t steps(const Bf16Kernels& kernels) const noexcept {
    return count * steps_of_one(kernels);
  }
  /// Segments that cut_runs() makes, at most.
  [[nodiscard]] std::size_t most_segments(const Bf16Kernels& kernels) const noexcept;
};

/// Cuts the runs where chunks of equal steps end. run_bytes: [count], where the runs begin; null: one run at
/// 0. Returns the number of segments.
std::size_t cut_runs(const Bf16Kernels& kernels, const Bf16Runs& runs, const std::size_t* run_bytes,
                     DotSegment* segments) noexcept;

[[nodiscard]] std::size_t packed_right_bytes(const Bf16Kernels& kernels, const Bf16Runs& runs,
                                             std::size_t columns) noexcept;

/// The right operand in memory; leading: floats from one row of it to the next.
struct Bf16Right {
  const float* data = nullptr;
  std::size_t leading = 0, columns = 0;
  Bf16Order order = Bf16Order::StepMajor;
};
void pack_right(const Bf16Kernels& kernels, const Bf16Runs& runs, const Bf16Right& right,
                std::byte* packed) noexcept;
/// The same from rows that `rows` lists, one for each element; null: zeros.
void pack_right_rows(const Bf16Kernels& kernels, const Bf16Runs& runs, const float* const* rows,
                     std::size_t columns, std::byte* packed) noexcept;

struct Bf16Product {
  const std::byte* a = nullptr;
  const std::ptrdiff_t* row_offset = nullptr;  ///< [rows], in bytes
  std::size_t rows = 0;
  std::size_t slack = 0;  ///< bytes that may be read behind the last row's last run, beside kDotSlack
  const DotSegment* segments = nullptr;
  std::size_t segment_count = 0;
  Bf16Runs runs{};
  const std::byte* b = nullptr;
  std::size_t columns = 0;
  float* c = nullptr;
  std::size_t c_row_stride = 0;
  Accumulate accumulate = Accumulate::Overwrite;
};
void run_product(const Bf16Kernels& kernels, const Bf16Product& product) noexcept;

}  // namespace bitplane::kernels
