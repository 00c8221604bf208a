// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace bitplane::train {

/// Throws cli::CommandError (BadInput) naming the file.
[[nodiscard]] std::vector<std::byte> read_file_bytes(const std::string& path);
[[nodiscard]] std::string read_file_text(const std::string& path);
/// Atomically. Throws cli::CommandError (SystemRefused).
void write_file_text(const std::string& path, std::string_view text);

}  // namespace bitplane::train
