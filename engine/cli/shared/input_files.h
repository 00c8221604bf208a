// SPDX-License-Identifier: Apache-2.0
//
// Small files that a command reads whole. Every error is a CommandError that names the file.
#pragma once

#include <string>
#include <string_view>

#include "engine/cli/shared/json_output.h"

namespace bitplane::cli {

[[nodiscard]] std::string read_text_file(const std::string& path);
/// Throws std::invalid_argument with what is wrong: "not JSON at byte 7", "nested deeper than 100 lists".
[[nodiscard]] Json parse_json(std::string_view text);
/// A file that holds one JSON object.
[[nodiscard]] Json read_json_object(const std::string& path);

}  // namespace bitplane::cli
