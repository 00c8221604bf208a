// SPDX-License-Identifier: Apache-2.0
#include "runtime/weights_file.h"

#include "model/digest.h"

namespace bitplane::engine {

WeightsFile::Use::~Use() {
  if (file_ == nullptr) return;
  const std::lock_guard lock(file_->mutex_);
  if (--file_->users_ == 0 && file_->image_ != nullptr) file_->image_->release();
}

Status WeightsFile::note_digest() {
  Result<std::string> digest = digest_in(image_->bytes());
  if (!digest.ok()) return digest.status();
  digest_ = std::move(digest).value();
  return {};
}

Result<std::shared_ptr<const void>> WeightsFile::hold() {
  struct Held {
    std::shared_ptr<WeightsFile> file;  // outlives the use
    Use use;
  };
  Result<Use> made = use();
  if (!made.ok()) return made.status();
  return std::shared_ptr<const void>(
      std::make_shared<Held>(Held{shared_from_this(), std::move(made).value()}));
}

Result<WeightsFile::Use> WeightsFile::use() {
  const std::lock_guard lock(mutex_);
  if (image_ != nullptr) {
    // The very bytes that were validated: their digest was compared with this one.
    const auto check = [&](std::span<const std::byte> bytes) { return check_digest(bytes, digest_); };
    if (Status status = image_->restore(check); !status.ok()) return status;
  }
  ++users_;
  return Use(this);
}

std::size_t WeightsFile::resident_bytes() const {
  const std::lock_guard lock(mutex_);
  return image_ != nullptr && image_->resident() ? image_->bytes().size() : 0;
}

}  // namespace bitplane::engine
