// SPDX-License-Identifier: Apache-2.0
#include "io/file_image.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>
#include <utility>

#include "io/read_file.h"

namespace bitplane::engine {

Pages::Pages(std::size_t bytes) : size_(bytes) {
  if (bytes == 0) return;
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  data_ = static_cast<std::byte*>(memory);
}

Pages::Pages(Pages&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Pages& Pages::operator=(Pages&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

Pages::~Pages() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

bool Pages::replace(Pages& other) noexcept {
#if defined(__linux__)
  // One call, so that a reader in another thread sees the old bytes or the new ones, which are equal.
  if (::mremap(other.data_, other.size_, size_, MREMAP_MAYMOVE | MREMAP_FIXED, data_) == MAP_FAILED)
    return false;
  other.data_ = nullptr;
  other.size_ = 0;
  return true;
#else
  static_cast<void>(other);
  return false;
#endif
}

Pages Pages::map(const FileDescriptor& file, std::size_t bytes) noexcept {
  Pages pages;
#if defined(__linux__)  // elsewhere replace() takes nothing
  void* memory = ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (memory == MAP_FAILED) return pages;
  pages.data_ = static_cast<std::byte*>(memory);
  pages.size_ = bytes;
#else
  static_cast<void>(file);
  static_cast<void>(bytes);
#endif
  return pages;
}

Result<std::shared_ptr<FileImage>> FileImage::read(const std::string& path, std::size_t max_bytes) {
  Result<OpenFile> open = open_regular_file(path, max_bytes);
  if (!open.ok()) return open.status();
  Pages pages(open->bytes);
  if (Status status = read_all(open->file, path, {pages.data(), pages.size()}); !status.ok()) return status;
  const std::size_t size = open->bytes;
  return std::shared_ptr<FileImage>(new FileImage(std::move(open->file), path, std::move(pages), size));
}

std::shared_ptr<FileImage> FileImage::copy(std::span<const std::byte> bytes) {
  Pages pages(bytes.size());
  std::copy(bytes.begin(), bytes.end(), pages.data());
  return std::shared_ptr<FileImage>(new FileImage(FileDescriptor(-1), {}, std::move(pages), bytes.size()));
}

void FileImage::release() noexcept {
  if (!resident_ || !file_.open() || size_ == 0) return;
  // At another address first, which shows every refusal: Linux before 6.12 takes away what is mapped at an
  // address before it asks the file system for the new mapping.
  Pages mapped = Pages::map(file_, size_);
  if (mapped.data() == nullptr) return;  // what cannot be mapped keeps the copy
  static_cast<void>(pages_.replace(mapped));
  resident_ = false;  // also when that was refused: the copy may be gone
}

Status FileImage::restore(const std::function<Status(std::span<const std::byte>)>& check) {
  if (resident_) return {};
  Pages fresh(size_);
  Status status = read_all(file_, path_, {fresh.data(), fresh.size()});
  if (status.ok()) status = check({fresh.data(), fresh.size()});
  if (!status.ok()) {
    return {StatusCode::IoError, path_ +
                                     " was changed after the model was loaded, and its weights are needed "
                                     "once more: load it again. " +
                                     status.message()};
  }
  if (!pages_.replace(fresh)) throw std::bad_alloc();
  resident_ = true;
  return {};
}

}  // namespace bitplane::engine
