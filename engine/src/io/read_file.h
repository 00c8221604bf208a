// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "bitplane/status.h"

namespace bitplane::engine {

/// A regular file's bytes. A file of more than `max_bytes` is refused before anything is read or allocated.
Result<std::vector<std::byte>> read_file(const std::string& path, std::size_t max_bytes);

}  // namespace bitplane::engine
