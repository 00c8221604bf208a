// SPDX-License-Identifier: Apache-2.0
#include "io/read_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdint>

#include "io/no_throw.h"

namespace bitplane::engine {

Result<OpenFile> open_regular_file(const std::string& path, std::size_t max_bytes) {
  // Opening a named pipe without O_NONBLOCK would wait for its writer before we can refuse it.
  FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.open()) return errno_status("open", path, errno);
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return errno_status("read", path, errno);
  if (!S_ISREG(info.st_mode)) {
    return Status(StatusCode::InvalidArgument,
                  "cannot read " + in_quotes(path) + ": it is not a regular file");
  }
  const auto size = static_cast<std::uintmax_t>(info.st_size);
  if (size > max_bytes) {
    return Status(StatusCode::InvalidArgument, "cannot read " + in_quotes(path) + ": it has " +
                                                   std::to_string(size) + " bytes and the limit is " +
                                                   std::to_string(max_bytes));
  }
  return OpenFile{std::move(file), static_cast<std::size_t>(size)};
}

Status read_all(const FileDescriptor& file, const std::string& path, std::span<std::byte> bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::pread(file.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_status("read", path, errno);
    if (n == 0) {
      return {StatusCode::IoError, "cannot read " + in_quotes(path) + ": the file became shorter meanwhile"};
    }
    done += static_cast<std::size_t>(n);
  }
  return {};
}

Result<std::vector<std::byte>> read_file(const std::string& path, std::size_t max_bytes) {
  return no_throw([&]() -> Result<std::vector<std::byte>> {
    const Result<OpenFile> open = open_regular_file(path, max_bytes);
    if (!open.ok()) return open.status();
    std::vector<std::byte> bytes(open->bytes);
    if (Status status = read_all(open->file, path, bytes); !status.ok()) return status;
    return bytes;
  });
}

}  // namespace bitplane::engine
