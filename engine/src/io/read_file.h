// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "bitplane/status.h"
#include "io/file_descriptor.h"

namespace bitplane::engine {

struct OpenFile {
  FileDescriptor file;
  std::size_t bytes = 0;
};

/// A regular file of at most `max_bytes`; any other is refused before anything is read or allocated.
Result<OpenFile> open_regular_file(const std::string& path, std::size_t max_bytes);
/// Its first bytes.size() bytes. `path` is for the message.
Status read_all(const FileDescriptor& file, const std::string& path, std::span<std::byte> bytes);

/// open_regular_file() and read_all().
Result<std::vector<std::byte>> read_file(const std::string& path, std::size_t max_bytes);

}  // namespace bitplane::engine
