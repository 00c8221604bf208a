// SPDX-License-Identifier: Apache-2.0
//
// Names from files, made fit for a one-line message.
#pragma once

#include <string>
#include <string_view>

namespace bitplane::engine {

/// In single quotes, cut (at a character's boundary) when long, control characters as '?'.
[[nodiscard]] std::string in_quotes(std::string_view text);

/// The shortest digits that read back to the same value.
[[nodiscard]] std::string number_text(float value);

/// C0 controls or DEL: they may not stand in names, because names are printed on terminals.
[[nodiscard]] bool has_control_characters(std::string_view text) noexcept;

}  // namespace bitplane::engine
