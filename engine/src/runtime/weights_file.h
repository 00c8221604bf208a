// SPDX-License-Identifier: Apache-2.0
//
// The file behind a model, shared by the sessions that pack its weights: in memory while one of them does.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "bitplane/status.h"
#include "bitplane/values.h"
#include "io/file_image.h"

namespace bitplane::engine {

class WeightsFile final : public ViewedMemory, public std::enable_shared_from_this<WeightsFile> {
 public:
  /// Null: the spec owns its weights, and there is nothing to keep or to give back.
  explicit WeightsFile(std::shared_ptr<FileImage> image) : image_(std::move(image)) {}
  /// Once the image was read as a model: by this digest the file is known when it is read again.
  Status note_digest();

  /// While one lives, the weights may be read. The last one gives the file's memory back.
  class Use {
   public:
    explicit Use(WeightsFile* file) noexcept : file_(file) {}
    Use(Use&& other) noexcept : file_(std::exchange(other.file_, nullptr)) {}
    Use& operator=(Use&&) = delete;
    ~Use();

   private:
    WeightsFile* file_;
  };
  /// Reads the file again where it was given back. Throws std::bad_alloc.
  Result<Use> use();
  /// A use, for whoever has a view alone.
  [[nodiscard]] Result<std::shared_ptr<const void>> hold() override;

  /// Of the copy in memory; 0 when it was given back.
  [[nodiscard]] std::size_t resident_bytes() const;

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<FileImage> image_;
  std::string digest_;
  std::size_t users_ = 0;
};

}  // namespace bitplane::engine
