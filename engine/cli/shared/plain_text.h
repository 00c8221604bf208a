// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace bitplane::cli {

/// UTF-8 without control characters, as model files have names.
[[nodiscard]] bool is_plain_text(const std::string& text);

}  // namespace bitplane::cli
