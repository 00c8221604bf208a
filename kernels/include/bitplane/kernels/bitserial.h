// SPDX-License-Identifier: Apache-2.0
//
// Family `bitserial`: convolution and GEMM by AND or XOR and popcount, plane pair by plane pair. Serves every
// combination and both encodings on both sides.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "bitplane/kernels/lowbit_conv.h"

namespace bitplane::kernels {

/// One ISA's bit-serial kernels (opaque to callers; the registry lists them).
struct BitSerialKernels;

/// The packed form, private to the family: weights in the kernel's layout, schedule, tables of the border.
struct PackedBitConv;

/// A convolution packed for one kernel: weights in that kernel's layout, coefficients, per-tap sums for the
/// border correction. Built once; immutable and shareable between threads afterwards.
class BitConv final : public LowBitConv {
 public:
  BitConv() = default;
  /// Throws std::bad_alloc. Everything else about the spec is a precondition.
  BitConv(const BitSerialKernels& kernels, const BitConvSpec& spec);

  [[nodiscard]] std::size_t packed_bytes() const noexcept override;
  [[nodiscard]] std::size_t scratch_bytes() const noexcept override;
  void run(const PackedActivations& input, RowRange rows, const EpilogueKernels& epilogues,
           const Epilogue& epilogue, std::byte* scratch) const noexcept override;
  void run_integer(const PackedActivations& input, RowRange rows, std::int32_t* out,
                   std::byte* scratch) const noexcept override;

 private:
  const BitSerialKernels* kernels_ = nullptr;
  std::shared_ptr<const PackedBitConv> packed_;
};

}  // namespace bitplane::kernels
