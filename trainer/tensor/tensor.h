// SPDX-License-Identifier: Apache-2.0
//
// Tensor: a float32 array with a shape, NHWC. Copying a Tensor shares its storage; clone() copies the
// elements. Storage is 64-byte aligned and comes from a cache of freed blocks (storage_pool.h), because a
// training step that maps and unmaps its buffers spends a good part of its time in page faults.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "trainer/tensor/shape.h"

namespace bitplane::train {

class Tensor {
 public:
  /// No storage: defined() is false.
  Tensor() = default;
  /// Elements are NOT initialized.
  explicit Tensor(const Shape& shape);
  static Tensor zeros(const Shape& shape);
  static Tensor filled(const Shape& shape, float value);
  /// Throws std::invalid_argument when the number of values is not the shape's.
  static Tensor from(const Shape& shape, std::span<const float> values);

  [[nodiscard]] bool defined() const noexcept { return storage_ != nullptr; }
  [[nodiscard]] const Shape& shape() const noexcept { return shape_; }
  [[nodiscard]] std::size_t size() const noexcept { return defined() ? shape_.size() : 0; }
  [[nodiscard]] const float* data() const noexcept { return storage_.get(); }
  [[nodiscard]] float* mutable_data() noexcept { return storage_.get(); }
  [[nodiscard]] std::span<const float> values() const noexcept { return {data(), size()}; }
  [[nodiscard]] std::span<float> mutable_values() noexcept { return {mutable_data(), size()}; }

  [[nodiscard]] Tensor clone() const;
  /// The same storage under another shape. Throws std::invalid_argument when the sizes differ.
  [[nodiscard]] Tensor reshaped(const Shape& shape) const;
  /// True when nobody else shares the storage, so that it may be overwritten.
  [[nodiscard]] bool unique() const noexcept { return storage_.use_count() == 1; }
  void fill(float value) noexcept;
  /// Copies the elements of a tensor of the same shape.
  void copy_from(const Tensor& other);

 private:
  Shape shape_;
  std::shared_ptr<float[]> storage_;
};

/// Bytes from the same cache, not initialized; copies share them. For what a backward pass keeps beside
/// floats.
class PooledBytes {
 public:
  PooledBytes() = default;
  explicit PooledBytes(std::size_t size);
  [[nodiscard]] const std::uint8_t* data() const noexcept {
    return reinterpret_cast<const std::uint8_t*>(storage_.get());
  }
  [[nodiscard]] std::uint8_t* mutable_data() noexcept {
    return reinterpret_cast<std::uint8_t*>(storage_.get());
  }

 private:
  std::shared_ptr<float[]> storage_;
};

}  // namespace bitplane::train
