// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/shared/plain_text.h"

#include <algorithm>

#include "engine/cli/shared/json_output.h"

namespace bitplane::cli {

bool is_plain_text(const std::string& text) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7F; };
  return std::ranges::none_of(text, is_control) && is_utf8(text);
}

}  // namespace bitplane::cli
