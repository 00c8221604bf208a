// SPDX-License-Identifier: Apache-2.0
//
// Family `lut`: convolution and GEMM by table look-up. Groups of consecutive weight bits index tables of the
// partial sums of the activations' values: one byte shuffle and one byte addition per 4 or 6 weight bits and
// channel. Serves uniform codes on both sides (UniformBoth) with unsigned activations, without offsets. The
// side that makes the tables has up to 4 planes; the other has any number of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "bitplane/kernels/lowbit_conv.h"

namespace bitplane::kernels {

/// One ISA's look-up kernels (opaque to callers; the list of low-bit kernels names them).
struct LutKernels;
/// The packed form, private to the family: weights as indices, the tables' parts.
struct PackedLutConv;
struct PackedWeightTables;

/// Activations are the tables, weight bits the indices: for many output channels. Multiples of activation
/// planes are positive.
class LutConv final : public LowBitConv {
 public:
  /// Throws std::bad_alloc. That the kernel supports the spec is a precondition.
  LutConv(const LutKernels& kernels, const BitConvSpec& spec);

  [[nodiscard]] std::size_t packed_bytes() const noexcept override;
  [[nodiscard]] std::size_t scratch_bytes() const noexcept override;
  void run(const PackedActivations& input, RowRange rows, const EpilogueKernels& epilogues,
           const Epilogue& epilogue, std::byte* scratch) const noexcept override;
  void run_integer(const PackedActivations& input, RowRange rows, std::int32_t* out,
                   std::byte* scratch) const noexcept override;

 private:
  const LutKernels* kernels_;
  std::shared_ptr<const PackedLutConv> packed_;
};

/// The other way round: for few output channels, or more weight than activation planes.
class LutWeightTablesConv final : public LowBitConv {
 public:
  /// Throws std::bad_alloc. That the kernel supports the spec is a precondition.
  LutWeightTablesConv(const LutKernels& kernels, const BitConvSpec& spec);

  [[nodiscard]] std::size_t packed_bytes() const noexcept override;
  [[nodiscard]] std::size_t scratch_bytes() const noexcept override;
  void run(const PackedActivations& input, RowRange rows, const EpilogueKernels& epilogues,
           const Epilogue& epilogue, std::byte* scratch) const noexcept override;
  void run_integer(const PackedActivations& input, RowRange rows, std::int32_t* out,
                   std::byte* scratch) const noexcept override;

 private:
  const LutKernels* kernels_;
  std::shared_ptr<const PackedWeightTables> packed_;
};

}  // namespace bitplane::kernels
