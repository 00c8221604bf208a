// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "bitplane/status.h"
#include "io/text.h"

namespace bitplane::engine {

/// Owns an open file descriptor.
class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) noexcept : fd_(fd) {}
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  FileDescriptor& operator=(FileDescriptor&&) = delete;
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }

  [[nodiscard]] bool open() const noexcept { return fd_ >= 0; }
  [[nodiscard]] int get() const noexcept { return fd_; }
  /// Some file systems report a failed write only here. 0 or -1 with errno.
  int close() noexcept { return ::close(std::exchange(fd_, -1)); }

 private:
  int fd_;
};

/// "cannot <what> '<path>': <errno's text>"; ENOENT is NotFound, everything else IoError.
inline Status errno_status(std::string_view what, std::string_view path, int error) {
  return {
      error == ENOENT ? StatusCode::NotFound : StatusCode::IoError,
      "cannot " + std::string(what) + ' ' + in_quotes(path) + ": " + std::generic_category().message(error)};
}

}  // namespace bitplane::engine
