// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cstddef>
#include <stdexcept>
#include <string>

#include "bitplane/kernels/aligned.h"
#include "bitplane/kernels/f32.h"
#include "trainer/procedures/tfl.h"

namespace bitplane::train {
namespace {

constexpr std::size_t kGroup = 8;        ///< samples whose sums are looked up together
constexpr std::size_t kGramRows = 64;    ///< of one piece of a thread's work
constexpr std::size_t kChunk = 4096;     ///< samples of one product
constexpr double kExactFloat = 1 << 24;  ///< whole numbers up to it are floats

}  // namespace

TflInputs::TflInputs(Backend& backend, std::vector<std::uint8_t> codes, std::size_t m, std::size_t bits,
                     Intercept intercept)
    : codes_(std::move(codes)),
      m_(m),
      samples_(m == 0 ? 0 : codes_.size() / m),
      bits_(bits),
      intercept_(intercept) {
  if (m == 0 || codes_.size() != m * samples_ || samples_ == 0) {
    throw std::invalid_argument(std::to_string(codes_.size()) + " codes are no receptive fields of " +
                                std::to_string(m) + " numbers");
  }
  for (std::size_t j = 0; j < m_; ++j) {
    std::uint64_t sum = 0;
    for (const std::uint8_t code : row(j)) sum += code;
    row_sums_.push_back(static_cast<double>(sum));
  }
  pack();
  make_gram(backend);
}

void TflInputs::pack() {
  const std::size_t groups = (samples_ + kGroup - 1) / kGroup;
  packed_.assign(groups * bits_ * m_, 0);
  for (std::size_t j = 0; j < m_; ++j) {
    const std::span<const std::uint8_t> codes = row(j);
    for (std::size_t n = 0; n < samples_; ++n) {
      for (std::size_t p = 0; p < bits_; ++p) {
        const unsigned bit = (static_cast<unsigned>(codes[n]) >> p) & 1U;
        std::uint8_t& byte = packed_[(n / kGroup * bits_ + p) * m_ + j];
        byte = static_cast<std::uint8_t>(byte | bit << (n % kGroup));
      }
    }
  }
}

void TflInputs::multiply(std::span<const double> z, std::span<double> g) const {
  std::fill(g.begin(), g.end(), 0.0);
  std::array<double, std::size_t{1} << kGroup> sums{};
  const std::size_t groups = (samples_ + kGroup - 1) / kGroup;
  for (std::size_t group = 0; group < groups; ++group) {
    for (std::size_t bit = 0; bit < kGroup; ++bit) {
      const std::size_t n = group * kGroup + bit, half = std::size_t{1} << bit;
      const double value = n < samples_ ? z[n] : 0.0;
      for (std::size_t i = 0; i < half; ++i) sums[half + i] = sums[i] + value;
    }
    for (std::size_t p = 0; p < bits_; ++p) {
      const std::uint8_t* bytes = &packed_[(group * bits_ + p) * m_];
      const auto weight = static_cast<double>(std::size_t{1} << p);
      for (std::size_t j = 0; j < m_; ++j) g[j] += weight * sums[bytes[j]];
    }
  }
}

/// Products of floats, exact as long as their sums are below 2^24, added up in doubles.
void TflInputs::make_gram(Backend& backend) {
  const auto top = static_cast<double>((std::size_t{1} << bits_) - 1);
  const auto exact = static_cast<std::size_t>(kExactFloat / (top * top));
  const std::size_t chunk = std::min({kChunk, exact, samples_});
  gram_.assign(m_ * m_, 0.0);
  std::vector<float> part(m_ * chunk);
  for (std::size_t first = 0; first < samples_; first += chunk) {
    const std::size_t count = std::min(chunk, samples_ - first);
    for (std::size_t j = 0; j < m_; ++j) {
      const std::span<const std::uint8_t> codes = row(j).subspan(first, count);
      std::transform(codes.begin(), codes.end(), part.begin() + static_cast<std::ptrdiff_t>(j * chunk),
                     [](std::uint8_t code) { return static_cast<float>(code); });
    }
    backend.threads().parallel_ranges(m_, kGramRows, [&](std::size_t begin, std::size_t end, std::size_t) {
      std::vector<float> sums((end - begin) * m_);
      const kernels::F32Gemm gemm{.m = end - begin,
                                  .n = m_,
                                  .k = count,
                                  .a = part.data() + begin * chunk,
                                  .lda = chunk,
                                  .b = part.data(),
                                  .ldb = chunk,
                                  .transpose_b = kernels::Transpose::Yes,
                                  .c = sums.data(),
                                  .ldc = m_};
      kernels::AlignedArray<std::byte> scratch(kernels::gemm_f32_scratch_bytes(gemm));
      kernels::gemm_f32(backend.f32(), gemm, scratch.data());
      for (std::size_t i = 0; i < sums.size(); ++i) gram_[begin * m_ + i] += static_cast<double>(sums[i]);
    });
  }
  if (intercept_ == Intercept::Learned) gram_scale_ = static_cast<double>(samples_);
  for (std::size_t i = 0; i < m_; ++i) {
    for (std::size_t j = 0; intercept_ == Intercept::Learned && j < m_; ++j) {
      gram_[i * m_ + j] = gram_scale_ * gram_[i * m_ + j] - row_sums_[i] * row_sums_[j];
    }
    trace_ += gram_[i * m_ + i];
  }
}

}  // namespace bitplane::train
