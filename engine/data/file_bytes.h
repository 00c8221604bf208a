// SPDX-License-Identifier: Apache-2.0
//
// A whole file in memory, for the readers of this folder. Every error names the file and what to do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "bitplane/status.h"

namespace bitplane::engine::data {

/// Refuses folders, special files and files above `max_bytes` before anything is allocated.
Result<std::vector<std::uint8_t>> read_whole_file(const std::string& path, std::size_t max_bytes);

/// Runs `body`, which returns a Result or a Status; running out of memory in it becomes a status as well.
template <class Body>
auto without_exceptions(const std::string& what, Body&& body) noexcept -> decltype(body()) {
  try {
    return std::forward<Body>(body)();
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::OutOfMemory,
                  what + ": not enough memory; close other programs or use a smaller file");
  } catch (const std::length_error&) {
    return Status(StatusCode::OutOfMemory, what + ": larger than this machine can address");
  }
}

}  // namespace bitplane::engine::data
