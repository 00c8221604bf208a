// SPDX-License-Identifier: Apache-2.0
#include "trainer/tensor/shape.h"

#include <stdexcept>

namespace bitplane::train {

Shape::Shape(std::initializer_list<std::size_t> dims) {
  if (dims.size() > kMaxRank) {
    throw std::invalid_argument("a shape has at most " + std::to_string(kMaxRank) + " dimensions, got " +
                                std::to_string(dims.size()));
  }
  for (const std::size_t d : dims) dims_[rank_++] = d;
}

std::size_t Shape::operator[](std::size_t i) const {
  if (i >= rank_) throw std::out_of_range("dimension " + std::to_string(i) + " of shape " + str());
  return dims_[i];
}

std::size_t Shape::size() const noexcept {
  std::size_t n = 1;
  for (std::size_t i = 0; i < rank_; ++i) n *= dims_[i];
  return n;
}

std::size_t Shape::rows() const {
  std::size_t n = 1;
  for (std::size_t i = 0; i + 1 < rank_; ++i) n *= dims_[i];
  return n;
}

std::string Shape::str() const {
  std::string s = "[";
  for (std::size_t i = 0; i < rank_; ++i) {
    if (i != 0) s += ", ";
    s += std::to_string(dims_[i]);
  }
  return s + "]";
}

void expect_shape(const Shape& got, const Shape& expected, const char* what) {
  if (got == expected) return;
  throw std::invalid_argument(std::string(what) + ": got " + got.str() + ", expected " + expected.str());
}

}  // namespace bitplane::train
