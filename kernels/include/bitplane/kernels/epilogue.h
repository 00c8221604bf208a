// SPDX-License-Identifier: Apache-2.0
//
// What happens to the accumulators z of a row of output pixels: kinds of one epilogue, shared by every
// family.
//
//   t = fma(z, scale[c], shift[c])          per channel: BN, bias, group and plane scales, folded at lowering
//   Float    out = t (+ residual), then max(., 0) if asked
//   Planes   rank = #{l : t > threshold_l}, code = code_of_rank[rank], packed into planes
//   Ranks    rank as a byte (max-pooling comes first and acts on ranks)
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "bitplane/kernels/isa.h"
#include "bitplane/kernels/planes.h"

namespace bitplane::kernels {

enum class Activation : std::uint8_t { None, Relu };

struct ChannelAffine {
  const float* scale = nullptr;  ///< [channels]
  const float* shift = nullptr;  ///< [channels]
};

/// A quantizer of activations. Thresholds ascend; -inf is "always passed". code_of_rank has thresholds + 1
/// entries.
struct RankCodes {
  const float* thresholds = nullptr;
  std::size_t count = 0;  ///< number of thresholds, at most 255
  const std::uint8_t* code_of_rank = nullptr;
};

enum class EpilogueKind : std::uint8_t { Float, Planes, Ranks };

/// Describes a whole tensor; apply() works on one row of it. `residual`, `out` and `out_ranks` point at row 0
/// of the batch and have the row's pixels and channels. Only the fields of its kind are read.
struct Epilogue {
  EpilogueKind kind = EpilogueKind::Float;
  ChannelAffine affine{};
  Activation activation = Activation::None;  ///< Float
  const float* residual = nullptr;           ///< Float: [pixel][channels] or null
  float* out = nullptr;                      ///< Float: [pixel][channels]
  RankCodes ranks{};                         ///< Planes, Ranks
  std::uint8_t* out_ranks = nullptr;         ///< Ranks: [pixel][channels]
  std::byte* out_planes = nullptr;           ///< Planes: the whole tensor
  ActivationLayout layout{};                 ///< Planes: of out_planes
};

/// z of one output row: pixels [0, layout.width) of row `row` (counted over the batch), [pixel][channels].
struct EpilogueRow {
  const float* z = nullptr;
  std::size_t row = 0;
  std::size_t pixels = 0;
  std::size_t channels = 0;
};

/// One ISA's epilogues and the element-wise steps between them. All of them write the same bits on every ISA.
struct EpilogueKernels {
  std::string_view name;
  Isa isa;
  /// Applies to one whole row of the picture; pad bits of the planes written are zero.
  void (*apply)(const Epilogue&, const EpilogueRow&) noexcept;
};
[[nodiscard]] const EpilogueKernels& select_epilogue(CpuFeatures features) noexcept;

}  // namespace bitplane::kernels
