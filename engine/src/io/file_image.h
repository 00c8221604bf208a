// SPDX-License-Identifier: Apache-2.0
//
// The bytes of a model file, at one address for as long as a model needs them, in memory only while it does.
//
// They are read into private memory and checked there. A shared mapping would change, or end the process
// (SIGBUS), when another process rewrites or truncates the file behind our back. Once the weights are packed,
// release() puts a mapping of the file in place of the copy: it costs no memory, and whoever looks at the
// weights of a spec still finds them there. The engine itself reads weights only after restore(), which reads
// the file again into private memory and reports one that has changed.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "bitplane/status.h"
#include "io/file_descriptor.h"

namespace bitplane::engine {

/// Whole pages from the operating system, which go back to it at once.
class Pages {
 public:
  Pages() = default;
  /// Throws std::bad_alloc.
  explicit Pages(std::size_t bytes);
  Pages(Pages&& other) noexcept;
  Pages& operator=(Pages&& other) noexcept;
  ~Pages();

  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// A read-only mapping of the file; empty (null) where that is refused.
  [[nodiscard]] static Pages map(const FileDescriptor& file, std::size_t bytes) noexcept;
  /// Takes `other`'s memory in place of its own, at its own address; the sizes are equal. False: refused, and
  /// what was there may be gone.
  [[nodiscard]] bool replace(Pages& other) noexcept;

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

class FileImage {
 public:
  /// A regular file. One of more than `max_bytes` is refused before anything is read or allocated.
  static Result<std::shared_ptr<FileImage>> read(const std::string& path, std::size_t max_bytes);
  /// Of memory: a copy, which stays.
  static std::shared_ptr<FileImage> copy(std::span<const std::byte> bytes);

  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {pages_.data(), size_}; }
  /// Are the bytes in private memory, as they were read?
  [[nodiscard]] bool resident() const noexcept { return resident_; }
  void release() noexcept;
  /// Refuses a file that is no longer of this size or that `check` refuses.
  Status restore(const std::function<Status(std::span<const std::byte>)>& check);

 private:
  FileImage(FileDescriptor file, std::string path, Pages pages, std::size_t size)
      : file_(std::move(file)), path_(std::move(path)), pages_(std::move(pages)), size_(size) {}

  FileDescriptor file_;
  std::string path_;
  Pages pages_;
  std::size_t size_;
  bool resident_ = true;
};

}  // namespace bitplane::engine
