// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <initializer_list>
#include <string>

namespace bitplane::train {

/// Up to four dimensions. Pictures are [n][h][w][c], convolution weights [out][kh][kw][in / groups], matrices
/// [rows][columns].
class Shape {
 public:
  static constexpr std::size_t kMaxRank = 4;

  Shape() = default;
  /// Throws std::invalid_argument beyond kMaxRank dimensions.
  Shape(std::initializer_list<std::size_t> dims);

  [[nodiscard]] std::size_t rank() const noexcept { return rank_; }
  /// Throws std::out_of_range.
  [[nodiscard]] std::size_t operator[](std::size_t i) const;
  [[nodiscard]] std::size_t front() const { return (*this)[0]; }
  [[nodiscard]] std::size_t back() const { return (*this)[rank_ - 1]; }
  /// Number of elements; 1 for rank 0.
  [[nodiscard]] std::size_t size() const noexcept;
  /// Elements of everything but the last dimension: the rows over which a per-channel operation runs.
  [[nodiscard]] std::size_t rows() const;
  /// "[128, 28, 28, 16]"
  [[nodiscard]] std::string str() const;
  friend bool operator==(const Shape&, const Shape&) = default;

 private:
  std::array<std::size_t, kMaxRank> dims_{};
  std::size_t rank_ = 0;
};

/// Throws std::invalid_argument, "<what>: got [2, 3], expected [2, 4]", when the shapes differ.
void expect_shape(const Shape& got, const Shape& expected, const char* what);

}  // namespace bitplane::train
