// SPDX-License-Identifier: Apache-2.0
#include "lowbit_problem.h"

#include <cmath>
#include <random>
#include <stdexcept>

#include "case.h"
#include "window.h"

namespace bitplane::bench {

using namespace kernels;

namespace {

/// As many as the engine's lowering turns into integers.
constexpr std::size_t kMostIntegerThresholds = kMostPassed;

}  // namespace

std::string basis_name(Basis basis) {
  return basis == Basis::Learned ? "learned" : "uniform";
}

LowBitProblem::LowBitProblem(const ConvShape& shape, Widths widths, Basis basis)
    : shape_(shape),
      widths_(widths),
      basis_(basis),
      layout_{.height = shape.height,
              .width = shape.width,
              .channels = shape.channels,
              .planes = widths.activations} {
  for (std::size_t i = 0; i < widths.weights; ++i) weight_multiples_.push_back(1 << i);
  if (widths.weights > 1) weight_multiples_.back() = -weight_multiples_.back();
  for (std::size_t j = 0; j < widths.activations; ++j) {
    activation_multiples_.push_back(1 << j);
    activation_basis_.push_back(0.7F + 0.61F * static_cast<float>(j));
  }
}

BitConvSpec LowBitProblem::spec() const {
  const bool learned = basis_ == Basis::Learned;
  return {.shape = shape_,
          .weight_encoding = learned ? Encoding::Bipolar : Encoding::Unsigned,
          .weights = {words_.data(), widths_.weights, shape_.out_channels, shape_.filter_size()},
          .activation_planes = widths_.activations,
          .combination = learned ? Combination::LearnedBoth : Combination::UniformBoth,
          .weight_multiples = weight_multiples_.data(),
          .activation_multiples = activation_multiples_.data(),
          .weight_basis = weight_basis_.data(),
          .activation_basis = activation_basis_.data()};
}

void LowBitProblem::load() {
  if (!words_.empty()) return;
  std::mt19937_64 random(1);
  const std::size_t row_words = words_for_bits(shape_.filter_size());
  const std::uint64_t last = ~std::uint64_t{0} >> (row_words * 64 - shape_.filter_size());
  words_.resize(widths_.weights * shape_.out_channels * row_words);
  for (std::size_t at = 0; at < words_.size(); ++at) {
    words_[at] = random() & (at % row_words == row_words - 1 ? last : ~std::uint64_t{0});
  }
  codes_.resize(shape_.height * shape_.width * shape_.channels);
  for (auto& code : codes_) {
    code = static_cast<std::uint8_t>(random() & ((1U << widths_.activations) - 1));
  }
  for (std::size_t i = 0; i < widths_.weights * shape_.out_channels; ++i) {
    weight_basis_.push_back(0.3F + 0.001F * static_cast<float>(i % 101));
  }
  input_ = AlignedArray<std::byte>(layout_.picture_bytes());
  pack_codes(codes_, 1, layout_, input_.data());
  ones_.assign(shape_.out_channels, 1.0F);
  zeros_.assign(shape_.out_channels, 0.0F);
  // Ranks of all kinds come up: z is about zero on the average and grows with the root of K.
  const std::size_t levels = std::size_t{1} << widths_.activations;
  const float step = std::sqrt(static_cast<float>(shape_.filter_size()));
  for (std::size_t l = 1; l < levels; ++l) {
    thresholds_.push_back(step * (static_cast<float>(l) - 0.5F * static_cast<float>(levels)));
  }
  if (basis_ == Basis::Uniform && thresholds_.size() <= kMostIntegerThresholds) {
    flip_.assign(shape_.out_channels, 0);
    for (const float threshold : thresholds_) {
      // A > t, A an integer, is A > floor(t).
      integer_thresholds_.insert(integer_thresholds_.end(), shape_.out_channels,
                                 static_cast<std::int32_t>(std::floor(threshold)));
    }
  }
  for (std::size_t l = 0; l < levels; ++l) code_of_rank_.push_back(static_cast<std::uint8_t>(l));
}

Epilogue LowBitProblem::to_floats(float* out) const {
  return {.kind = EpilogueKind::Float, .affine = {ones_.data(), zeros_.data()}, .out = out};
}

Epilogue LowBitProblem::to_planes(const LowBitConv& conv, std::byte* out) const {
  Epilogue epilogue{.kind = EpilogueKind::Planes,
                    .affine = {ones_.data(), zeros_.data()},
                    .ranks = {thresholds_.data(), thresholds_.size(), code_of_rank_.data()},
                    .out_planes = out,
                    .layout = out_layout()};
  if (!integer_thresholds_.empty() && conv.prefers_integers(epilogue.ranks, epilogue.layout))
    epilogue.integer = {integer_thresholds_.data(), flip_.data()};
  return epilogue;
}

ActivationLayout LowBitProblem::out_layout() const {
  return {.height = shape_.out_height(),
          .width = shape_.out_width(),
          .channels = shape_.out_channels,
          .planes = widths_.activations};
}

LowBitProblem::Sums LowBitProblem::sums_at(std::size_t pixel, std::size_t channel) const {
  std::int64_t d[kMaxPlanes][kMaxActivationPlanes] = {};
  const BitConvSpec layer = spec();
  for (std::size_t k = 0; k < shape_.filter_size(); ++k) {
    const std::optional<std::size_t> from = input_index(shape_, pixel, k);
    if (!from) continue;
    const unsigned code = codes_[*from];
    for (std::size_t i = 0; i < widths_.weights; ++i) {
      const int bit = static_cast<int>((layer.weights.row(i, channel)[k / 64] >> (k % 64)) & 1U);
      const int weight = basis_ == Basis::Learned ? 2 * bit - 1 : bit;
      for (std::size_t j = 0; j < widths_.activations; ++j) {
        d[i][j] += weight * static_cast<int>((code >> j) & 1U);
      }
    }
  }
  Sums sums;
  for (std::size_t j = 0; j < widths_.activations; ++j) {
    for (std::size_t i = 0; i < widths_.weights; ++i) {
      sums.integer += std::int64_t{weight_multiples_[i]} * activation_multiples_[j] * d[i][j];
      const float coefficient = weight_basis_[i * shape_.out_channels + channel] * activation_basis_[j];
      sums.z = std::fma(coefficient, static_cast<float>(d[i][j]), sums.z);
    }
  }
  if (basis_ == Basis::Uniform) sums.z = static_cast<float>(sums.integer);
  return sums;
}

void LowBitProblem::check_hash(std::optional<std::uint64_t>& expected, std::span<const std::byte> bytes) {
  const std::uint64_t hash = hash_of(bytes);
  if (expected.value_or(hash) != hash) throw std::runtime_error("differs from the kernels before it");
  expected = hash;
}

void LowBitProblem::check_integers(std::span<const std::int32_t> out) {
  for (const std::size_t at : samples(out.size())) {
    if (out[at] != sums_at(at / shape_.out_channels, at % shape_.out_channels).integer)
      throw std::runtime_error("wrong integer at output " + std::to_string(at));
  }
  check_hash(integer_hash_, std::as_bytes(out));
}

void LowBitProblem::check_floats(std::span<const float> out) {
  for (const std::size_t at : samples(out.size())) {
    if (out[at] != sums_at(at / shape_.out_channels, at % shape_.out_channels).z)
      throw std::runtime_error("wrong value at output " + std::to_string(at));
  }
  check_hash(float_hash_, std::as_bytes(out));
}

void LowBitProblem::check_planes(std::span<const std::byte> planes) {
  std::vector<std::uint8_t> codes(outputs());
  unpack_codes({planes.data(), out_layout()}, 1, codes);
  for (const std::size_t at : samples(codes.size())) {
    const float z = sums_at(at / shape_.out_channels, at % shape_.out_channels).z;
    unsigned rank = 0;
    for (const float threshold : thresholds_) rank += z > threshold ? 1U : 0U;
    if (codes[at] != code_of_rank_[rank])
      throw std::runtime_error("wrong code at output " + std::to_string(at));
  }
  check_hash(plane_hash_, planes);
}

}  // namespace bitplane::bench
