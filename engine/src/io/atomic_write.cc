// SPDX-License-Identifier: Apache-2.0
//
// write_file_atomically: `path` holds the old file or the whole new one, whatever happens in between. The
// order is what makes it so: data to the disk (fsync), then the name (rename), then the name to the disk
// (fsync of the folder).
#include <fcntl.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <utility>

#include "bitplane/model_spec.h"
#include "io/file_descriptor.h"
#include "io/no_throw.h"

namespace bitplane::engine {
namespace {

/// Removes the temporary file unless it was renamed.
class TemporaryName {
 public:
  explicit TemporaryName(std::string path) : path_(std::move(path)) {}
  TemporaryName(const TemporaryName&) = delete;
  TemporaryName& operator=(const TemporaryName&) = delete;
  ~TemporaryName() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  void forget() noexcept { path_.clear(); }

 private:
  std::string path_;
};

std::string temporary_path(const std::string& path) {
  static std::atomic<unsigned> count{0};
  return path + ".tmp-" + std::to_string(::getpid()) + '-' + std::to_string(count.fetch_add(1));
}

Status write_all(const FileDescriptor& file, const std::string& path, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(file.get(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_status("write", path, errno);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

/// Some file systems cannot fsync a folder and say EINVAL: there the rename is all that can be had.
Status sync_folder(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  const FileDescriptor folder(
      ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.open()) return errno_status("open the folder of", path, errno);
  if (::fsync(folder.get()) != 0 && errno != EINVAL) return errno_status("save the folder of", path, errno);
  return {};
}

/// What a chain of symbolic links points to, whether that is there or not.
Result<std::string> behind_links(const std::string& path) {
  constexpr int kMostLinks = 40;  // as Linux itself follows
  std::filesystem::path target = path;
  std::error_code error;
  for (int i = 0; i < kMostLinks; ++i) {
    if (!std::filesystem::is_symlink(target, error)) return target.string();
    const std::filesystem::path next = std::filesystem::read_symlink(target, error);
    if (error) return errno_status("write", path, error.value());
    target = target.parent_path() / next;
  }
  return errno_status("write", path, ELOOP);
}

/// The file to replace: what a symbolic link points to, so that the link stays one. Renaming over a device or
/// a folder would do harm or fail late: refused here.
Result<std::string> target_of(const std::string& path) {
  if (path.empty()) return Status(StatusCode::InvalidArgument, "cannot write a file without a name");
  struct stat info {};
  // What is new or unreachable goes through: opening the temporary file says why.
  if (::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    return Status(StatusCode::InvalidArgument,
                  "cannot write " + in_quotes(path) + ": it exists and is not a regular file");
  }
  return behind_links(path);
}

Status write_and_rename(const std::string& target, std::span<const std::byte> bytes) {
  std::string name;
  int opened = -1;
  // A process of the same number may have been killed and have left its file: the next name is another.
  do {
    name = temporary_path(target);
    opened = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (opened < 0 && errno == EEXIST);
  FileDescriptor file(opened);
  if (!file.open()) return errno_status("write", target, errno);
  TemporaryName temporary(std::move(name));
  if (Status status = write_all(file, target, bytes); !status.ok()) return status;
  if (::fsync(file.get()) != 0) return errno_status("write", target, errno);
  if (file.close() != 0) return errno_status("write", target, errno);
  if (std::rename(temporary.path().c_str(), target.c_str()) != 0) return errno_status("write", target, errno);
  temporary.forget();
  return sync_folder(target);
}

}  // namespace

Status write_file_atomically(const std::string& path, std::span<const std::byte> bytes) {
  return no_throw([&]() -> Status {
    Result<std::string> target = target_of(path);
    if (!target.ok()) return target.status();
    return write_and_rename(target.value(), bytes);
  });
}

}  // namespace bitplane::engine
