// SPDX-License-Identifier: Apache-2.0
//
// The JSON of a model's metadata: objects, arrays, strings and unsigned integers. The format uses nothing
// else, so nothing else can be represented: no fractions to round, no null, no negative sizes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "bitplane/status.h"

namespace bitplane::engine {

struct JsonMember;
struct JsonValue;
using JsonArray = std::vector<JsonValue>;
using JsonObject = std::vector<JsonMember>;  ///< in order; keys are unique when parsed

struct JsonValue {
  std::variant<std::uint64_t, std::string, JsonArray, JsonObject> value;
};

struct JsonMember {
  std::string key;
  JsonValue value;
};

/// Bytes of one JSON text; bounds what parsing it can allocate.
inline constexpr std::size_t kMaxJsonBytes = std::size_t{4} << 20;
inline constexpr std::size_t kMaxJsonDepth = 8;

/// Refuses repeated keys, every other JSON type, and what exceeds the limits. `where` opens the messages.
Result<JsonValue> parse_json(std::string_view where, std::string_view text);
/// Compact text. Refuses strings that are not UTF-8.
Result<std::string> dump_json(const JsonValue& value);

}  // namespace bitplane::engine
