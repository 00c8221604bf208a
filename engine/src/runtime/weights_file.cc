// SPDX-License-Identifier: Apache-2.0
#include "runtime/weights_file.h"

#include "model/digest.h"

namespace bitplane::engine {

WeightsFile::Use::~Use() {
  if (file_ == nullptr) return;
  const std::lock_guard lock(file_->mutex_);
  if (--file_->users_ == 0 && file_->image_ != nullptr) file_->image_->release();
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
