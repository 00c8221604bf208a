// SPDX-License-Identifier: Apache-2.0
//
// Family `dot`: convolution and GEMM by the CPU's integer dot products. Codes are expanded to bytes in cache
// (activations once per strip of output rows, weights of up to 4 bits once per strip and block of channels),
// so that memory holds planes and codes, and every width of weights and activations costs the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "bitplane/kernels/isa.h"
#include "bitplane/kernels/lowbit_conv.h"

namespace bitplane::kernels {

/// One ISA's dot product kernels (opaque to callers; the registry lists them).
struct DotKernels;
/// The best of `features`.
[[nodiscard]] const DotKernels& select_dot(CpuFeatures features) noexcept;
[[nodiscard]] Isa kernel_isa(const DotKernels& kernels) noexcept;
[[nodiscard]] std::string_view kernel_name(const DotKernels& kernels) noexcept;

/// The packed form, private to the family: weights in the kernel's layout, segments of a window, blocks.
struct PackedDot;

/// Can `kernels` run it? Two uniform sides without offsets, whose values fit the kernel's operands: weights
/// within -128..127 and activations that span at most 255 (7 bipolar planes, 8 unsigned ones). AVX2 also
/// takes wider ones, as 16-bit words.
[[nodiscard]] bool dot_supports(const DotKernels& kernels, const BitConvSpec& spec) noexcept;

/// A convolution of packed planes. Immutable and shareable between threads.
class DotConv final : public LowBitConv {
 public:
  DotConv() = default;
  /// Throws std::bad_alloc. dot_supports(kernels, spec) is a precondition.
  DotConv(const DotKernels& kernels, const BitConvSpec& spec);

  [[nodiscard]] std::size_t packed_bytes() const noexcept override;
  [[nodiscard]] std::size_t scratch_bytes() const noexcept override;
  void run(const PackedActivations& input, RowRange rows, const EpilogueKernels& epilogues,
           const Epilogue& epilogue, std::byte* scratch) const noexcept override;
  void run_integer(const PackedActivations& input, RowRange rows, std::int32_t* out,
                   std::byte* scratch) const noexcept override;

 private:
  std::shared_ptr<const PackedDot> packed_;
};

/// What a convolution of byte pictures means: the sum over the window of weight * (byte - zero), in int32. A
/// padded pixel counts nothing. |sum| < 2^31 is a precondition: filter_size() * 128 * 255 says so for up to
/// 65793 elements.
struct ByteConvSpec {
  ConvShape shape{};                     ///< batch is ignored: run() takes any number of rows
  const std::int8_t* weights = nullptr;  ///< [out channel][kernel row][kernel column][channel of the group]
  const std::uint8_t* zero = nullptr;    ///< [channels]: the byte that means 0; null: 0
};

/// A convolution of bytes that are not packed: 8-bit first layers on uint8 pictures, whose mean is `zero` and
/// whose scale is in the weights.
class ByteConv {
 public:
  ByteConv() = default;
  /// Reads the spec's arrays here only. Throws std::bad_alloc.
  ByteConv(const DotKernels& kernels, const ByteConvSpec& spec);

  [[nodiscard]] const ConvShape& shape() const noexcept { return shape_; }
  [[nodiscard]] std::size_t packed_bytes() const noexcept;
  /// Bytes of scratch, 64-byte aligned, that one running thread needs.
  [[nodiscard]] std::size_t scratch_bytes() const noexcept;
  /// `input`: [picture][height][width][channels]. Otherwise as LowBitConv::run.
  void run(const std::uint8_t* input, RowRange rows, const EpilogueKernels& epilogues,
           const Epilogue& epilogue, std::byte* scratch) const noexcept;
  /// As LowBitConv::run_integer.
  void run_integer(const std::uint8_t* input, RowRange rows, std::int32_t* out,
                   std::byte* scratch) const noexcept;

 private:
  ConvShape shape_;
  std::shared_ptr<const PackedDot> packed_;
};

}  // namespace bitplane::kernels
