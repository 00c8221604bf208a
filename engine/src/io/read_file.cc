// SPDX-License-Identifier: Apache-2.0
#include "io/read_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdint>

#include "io/file_descriptor.h"
#include "io/no_throw.h"

namespace bitplane::engine {
namespace {

Result<std::vector<std::byte>> read_open_file(const FileDescriptor& file, const std::string& path,
                                              std::size_t size) {
  std::vector<std::byte> bytes(size);
  std::size_t done = 0;
  while (done < size) {
    const ssize_t n = ::read(file.get(), bytes.data() + done, size - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_status("read", path, errno);
    if (n == 0)
      return Status(StatusCode::IoError,
                    "cannot read " + in_quotes(path) + ": the file became shorter meanwhile");
    done += static_cast<std::size_t>(n);
  }
  return bytes;
}

}  // namespace

Result<std::vector<std::byte>> read_file(const std::string& path, std::size_t max_bytes) {
  return no_throw([&]() -> Result<std::vector<std::byte>> {
    // Opening a named pipe without O_NONBLOCK would wait for its writer before we can refuse it.
    const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
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
    return read_open_file(file, path, static_cast<std::size_t>(size));
  });
}

}  // namespace bitplane::engine
