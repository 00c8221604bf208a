// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "bitplane/status.h"

namespace bitplane::engine::data {

[[nodiscard]] bool is_gzip(std::span<const std::uint8_t> bytes) noexcept;

/// Inflates one gzip stream and checks its checksum and that nothing follows it. More than `max_bytes` of
/// content is an error: a small file cannot fill the memory. `path` is for the messages.
Result<std::vector<std::uint8_t>> gunzip(const std::string& path, std::span<const std::uint8_t> bytes,
                                         std::size_t max_bytes);

}  // namespace bitplane::engine::data
