// SPDX-License-Identifier: Apache-2.0
#include "trainer/tensor/tensor.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "trainer/tensor/storage_pool.h"

namespace bitplane::train {

Tensor::Tensor(const Shape& shape)
    : shape_(shape), storage_(StoragePool::instance().allocate(shape.size())) {}

Tensor Tensor::zeros(const Shape& shape) {
  return filled(shape, 0.0F);
}

Tensor Tensor::filled(const Shape& shape, float value) {
  Tensor t(shape);
  t.fill(value);
  return t;
}

Tensor Tensor::from(const Shape& shape, std::span<const float> values) {
  if (values.size() != shape.size()) {
    throw std::invalid_argument("a tensor of shape " + shape.str() + " from " +
                                std::to_string(values.size()) + " values");
  }
  Tensor t(shape);
  std::copy(values.begin(), values.end(), t.mutable_data());
  return t;
}

Tensor Tensor::clone() const {
  if (!defined()) return {};
  return from(shape_, values());
}

Tensor Tensor::reshaped(const Shape& shape) const {
  if (shape.size() != shape_.size()) {
    throw std::invalid_argument("reshape of " + shape_.str() + " to " + shape.str());
  }
  Tensor t = *this;
  t.shape_ = shape;
  return t;
}

void Tensor::fill(float value) noexcept {
  std::fill_n(mutable_data(), size(), value);
}

void Tensor::copy_from(const Tensor& other) {
  expect_shape(other.shape(), shape_, "copy into a tensor");
  std::copy_n(other.data(), size(), mutable_data());
}

PooledBytes::PooledBytes(std::size_t size)
    : storage_(StoragePool::instance().allocate((size + sizeof(float) - 1) / sizeof(float))) {}

}  // namespace bitplane::train
