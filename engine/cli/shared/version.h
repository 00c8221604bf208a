// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "engine/cli/shared/json_output.h"

namespace bitplane::cli {

/// Of this build, e.g. "0.1.0".
[[nodiscard]] std::string_view version() noexcept;

/// --version: the program's version, the model format's, the ISAs built and present. To stdout.
void print_version(std::string_view program, Format format);

}  // namespace bitplane::cli
