// SPDX-License-Identifier: Apache-2.0
//
// What the reader and the writer of the container must agree on.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "bitplane/safetensors.h"

namespace bitplane::engine {

inline constexpr std::string_view kMetadataKey = "__metadata__";
/// The format's own limit.
inline constexpr std::size_t kMaxHeaderBytes = 100'000'000;

[[nodiscard]] std::optional<DType> dtype_from_name(std::string_view name) noexcept;
/// Bytes of a tensor; nothing when they do not fit 64 bits.
[[nodiscard]] std::optional<std::size_t> tensor_bytes(DType dtype,
                                                      std::span<const std::size_t> shape) noexcept;

}  // namespace bitplane::engine
