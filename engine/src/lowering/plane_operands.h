// SPDX-License-Identifier: Apache-2.0
//
// A convolution of planes as the kernels want it described.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bitplane/kernels/lowbit_conv.h"
#include "lowering/program.h"

namespace bitplane::engine {

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

/// Is the step a convolution whose input are packed planes?
[[nodiscard]] bool convolves_planes(const Program& program, const Step& step) noexcept;
/// Of such a step, for `batch` pictures. Throws std::bad_alloc.
[[nodiscard]] PlaneOperands plane_operands(const ModelSpec& spec, const Program& program, const Step& step,
                                           std::size_t batch);

}  // namespace bitplane::engine
