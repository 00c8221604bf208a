// SPDX-License-Identifier: Apache-2.0
//
// What must hold of the low-bit kernels: on any layer, all of them give what the reference gives. The body of
// the fuzz target, and of the test that runs it over a fixed sequence of inputs.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace bitplane::fuzz {

/// Makes a layer of the bytes (missing ones are zeros) and runs it through every low-bit kernel of this
/// machine that supports it: z, the integers, and planes of two thresholds per channel. Returns the kernel
/// that disagreed with the reference and the layer, or "".
std::string check_kernels_agree(std::span<const std::byte> bytes);

/// Bytes that are looked at.
inline constexpr std::size_t kKernelsAgreeBytes = 40;

}  // namespace bitplane::fuzz
