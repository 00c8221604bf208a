// SPDX-License-Identifier: Apache-2.0
#include "float_problem.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>

#include "case.h"
#include "window.h"

namespace bitplane::bench {

namespace {

void keep_bf16_bits(std::vector<float>& values) {
  for (float& value : values) value = std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) & 0xFFFF0000U);
}

bool within(float value, const DirectSum& direct, std::size_t terms) {
  const double tolerance =
      static_cast<double>(terms) * std::numeric_limits<float>::epsilon() * direct.magnitude;
  return std::abs(static_cast<double>(value) - direct.sum) <= tolerance;
}

}  // namespace

void FloatProblem::load() {
  if (!x_.empty()) return;
  x_ = random_floats(shape_.batch * shape_.height * shape_.width * shape_.channels, 3);
  w_ = random_floats(shape_.out_channels * shape_.filter_size(), 4);
  dz_ = random_floats(outputs(), 5);
  if (operands_ == Operands::Bf16) {
    for (std::vector<float>* values : {&x_, &w_, &dz_}) keep_bf16_bits(*values);
  }
}

float FloatProblem::input(std::size_t pixel, std::size_t k) const {
  const std::optional<std::size_t> from = input_index(shape_, pixel, k);
  return from ? x_[*from] : 0.0F;
}

void FloatProblem::check_exact(std::span<const float> z, const std::vector<float>& weights) const {
  for (const std::size_t at : samples(z.size())) {
    const std::size_t pixel = at / shape_.out_channels, o = at % shape_.out_channels;
    float sum = 0.0F;
    for (std::size_t k = 0; k < shape_.filter_size(); ++k) {
      sum = std::fma(input(pixel, k), weights[o * shape_.filter_size() + k], sum);
    }
    if (z[at] != sum) throw std::runtime_error("wrong value at output " + std::to_string(at));
  }
}

void FloatProblem::check_near(std::span<const float> z) const {
  for (const std::size_t at : samples(z.size())) {
    const DirectSum direct = direct_sum(shape_, x_.data(), w_.data(), at);
    if (!within(z[at], direct, shape_.filter_size()))
      throw std::runtime_error("wrong value at output " + std::to_string(at));
  }
}

void FloatProblem::check_data_gradient(std::span<const float> dx) const {
  const kernels::ConvShape& s = shape_;
  for (const std::size_t at : samples(dx.size())) {
    const std::size_t pixel = at / s.channels, x = pixel % s.width, y = pixel / s.width % s.height;
    const std::size_t picture = pixel / s.width / s.height;
    float sum = 0.0F;
    for (std::size_t tap = s.taps(); tap-- > 0;) {  // the filters are turned
      const std::size_t up = y + s.pad_h, left = x + s.pad_w, ky = tap / s.kernel_w, kx = tap % s.kernel_w;
      if (up < ky || left < kx || (up - ky) % s.stride_h != 0 || (left - kx) % s.stride_w != 0) continue;
      const std::size_t oy = (up - ky) / s.stride_h, ox = (left - kx) / s.stride_w;
      if (oy >= s.out_height() || ox >= s.out_width()) continue;
      const float* dz = &dz_[((picture * s.out_height() + oy) * s.out_width() + ox) * s.out_channels];
      for (std::size_t o = 0; o < s.out_channels; ++o)
        sum = std::fma(dz[o], w_[o * s.filter_size() + tap * s.channels + at % s.channels], sum);
    }
    if (dx[at] != sum) throw std::runtime_error("wrong gradient at input " + std::to_string(at));
  }
}

void FloatProblem::check_weight_gradient(std::span<const float> dw) const {
  for (const std::size_t at : samples(dw.size())) {
    const std::size_t k = at / shape_.out_channels, o = at % shape_.out_channels;
    float sum = 0.0F;
    for (std::size_t p = 0; p < shape_.out_pixels(); ++p) {
      sum = std::fma(input(p, k), dz_[p * shape_.out_channels + o], sum);
    }
    if (dw[at] != sum) throw std::runtime_error("wrong gradient at weight " + std::to_string(at));
  }
}

void FloatProblem::check_weight_gradient_near(std::span<const float> dw) const {
  for (const std::size_t at : samples(dw.size())) {
    const std::size_t k = at / shape_.out_channels, o = at % shape_.out_channels;
    DirectSum direct;
    for (std::size_t p = 0; p < shape_.out_pixels(); ++p) {
      const double product =
          static_cast<double>(input(p, k)) * static_cast<double>(dz_[p * shape_.out_channels + o]);
      direct.sum += product;
      direct.magnitude += std::abs(product);
    }
    if (!within(dw[at], direct, shape_.out_pixels()))
      throw std::runtime_error("wrong gradient at weight " + std::to_string(at));
  }
}

}  // namespace bitplane::bench
