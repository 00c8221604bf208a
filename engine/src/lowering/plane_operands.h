// SPDX-License-Identifier: Apache-2.0
//
// A convolution of planes, or of the picture's bytes, as the kernels want it described.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bitplane/kernels/lowbit_conv.h"
#include "lowering/program.h"

namespace bitplane::engine {

/// Does the step multiply the picture's bytes?
[[nodiscard]] bool convolves_bytes(const ModelSpec& spec, const Step& step) noexcept;

/// `spec` points into the model and into the lists beside it, which a move leaves where they are.
struct PlaneOperands {
  kernels::BitConvSpec spec;
  std::vector<std::int32_t> weight_multiples, activation_multiples;
  std::vector<float> weight_offset;

  PlaneOperands() = default;
  PlaneOperands(PlaneOperands&&) = default;
  PlaneOperands& operator=(PlaneOperands&&) = default;
  PlaneOperands(const PlaneOperands&) = delete;
  PlaneOperands& operator=(const PlaneOperands&) = delete;
};

/// Of a convolution of the picture's bytes, for any number of pictures.
struct ByteOperands {
  kernels::ConvShape shape;
  std::vector<std::int8_t> weights;  ///< [out channel][K]
  std::vector<std::uint8_t> zero;    ///< [channels]
};
[[nodiscard]] ByteOperands byte_operands(const ModelSpec& spec, const Program& program, const Step& step);

/// Is the step a convolution whose input are packed planes?
[[nodiscard]] bool convolves_planes(const Program& program, const Step& step) noexcept;
/// Of such a step, for `batch` pictures. Throws std::bad_alloc.
[[nodiscard]] PlaneOperands plane_operands(const ModelSpec& spec, const Program& program, const Step& step,
                                           std::size_t batch);

}  // namespace bitplane::engine
