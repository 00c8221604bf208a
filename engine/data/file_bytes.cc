// SPDX-License-Identifier: Apache-2.0
#include "engine/data/file_bytes.h"

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <system_error>

namespace bitplane::engine::data {
namespace {

Status io_error(const std::string& path, const std::error_code& error) {
  const bool missing = error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory;
  return {missing ? StatusCode::NotFound : StatusCode::IoError,
          path + ": " + error.message() + (missing ? "; check the path" : "; check the file's permissions")};
}

struct CloseFile {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};

}  // namespace

Result<std::vector<std::uint8_t>> read_whole_file(const std::string& path, std::size_t max_bytes) {
  std::error_code error;
  const auto kind = std::filesystem::status(path, error);
  if (!std::filesystem::exists(kind)) {
    return io_error(path, error ? error : std::make_error_code(std::errc::no_such_file_or_directory));
  }
  if (!std::filesystem::is_regular_file(kind)) {
    return Status(StatusCode::InvalidArgument,
                  path + ": found a " + (std::filesystem::is_directory(kind) ? "folder" : "special file") +
                      ", expected a file; give the path of the file itself");
  }
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error) return io_error(path, error);
  if (size > max_bytes) {
    return Status(StatusCode::InvalidFile, path + ": found " + std::to_string(size) +
                                               " bytes, expected at most " + std::to_string(max_bytes) +
                                               "; is it the right file?");
  }
  const std::unique_ptr<std::FILE, CloseFile> file(std::fopen(path.c_str(), "rb"));
  if (!file) return io_error(path, std::error_code(errno, std::generic_category()));
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(size));
  const std::size_t got = bytes.empty() ? 0 : std::fread(bytes.data(), 1, bytes.size(), file.get());
  if (got != bytes.size()) {
    return Status(StatusCode::IoError, path + ": read " + std::to_string(got) + " of " +
                                           std::to_string(bytes.size()) +
                                           " bytes; did it change while it was read? try again");
  }
  return bytes;
}

}  // namespace bitplane::engine::data
