// SPDX-License-Identifier: Apache-2.0
//
// Results for programs: one JSON document on stdout, keys in the order they were set.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace bitplane::cli {

using Json = nlohmann::ordered_json;

/// What --json chooses.
enum class Format { Text, JsonDocument };

/// Only such text fits into JSON.
[[nodiscard]] bool is_utf8(const std::string& text);

/// Indented, with a line end. Text that is not UTF-8 is replaced, never thrown at.
void print_json(const Json& value);

}  // namespace bitplane::cli
