// SPDX-License-Identifier: Apache-2.0
//
// The one list of kernels: tests, benchmarks, selection and `bitplane kernels` iterate over it.
#pragma once

#include <span>
#include <string_view>

#include "bitplane/kernels/isa.h"

namespace bitplane::kernels {

enum class Family : std::uint8_t { F32, Bf16, BitSerial, Dot, Lut, Codebook, Epilogue, Elementwise };

struct KernelInfo {
  std::string_view name;
  Family family;
  Isa isa;
  std::string_view tile;  ///< e.g. "6 x 64 outputs"
};

/// Every kernel that was built, in the order of kIsas.
[[nodiscard]] std::span<const KernelInfo> registry() noexcept;
[[nodiscard]] std::string_view family_name(Family family) noexcept;

}  // namespace bitplane::kernels
