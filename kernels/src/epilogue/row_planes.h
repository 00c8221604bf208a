// SPDX-License-Identifier: Apache-2.0
//
// A row of packed planes, 64 channels of a pixel at a time. Ways to a plane's bits:
//
//   MaskWords   few thresholds. They ascend, so "passes threshold l" is nested in "passes threshold l - 1":
//               plane b of the code = c_0[b] XOR over the passed l of (c_l XOR c_{l-1})[b], c = code_of_rank,
//               which is one comparison per threshold and two operations on 64 channels per threshold and
//               plane
//   PassedWords the same from comparisons that are there
//   CodeWords   ranks as bytes, then codes, then one bit of all 64 per plane
#pragma once

#include <cstddef>
#include <cstdint>

#include "bitplane/kernels/epilogue.h"
#include "epilogue/planes_of_codes.h"
#include "epilogue/row_values.h"
#include "isa_unroll.h"

namespace bitplane::kernels {
namespace {

inline constexpr std::size_t kMaskThresholds = kMostPassed;

// Each makes a word of up to 64 channels of one pixel, operator()(WordAt, words), and, where kJoinsPixels
// says so, a word of several pixels of kGranule channels from pixel p on, join<kGranule>(p, words): the rows
// of a tensor of 16 or 32 channels are one run of bits. (ResNet-20's 32x32x16 with a residual and 3
// thresholds on AVX-512, the convolution included: 39.9 us a pixel at a time, 17.8 us four at a time.)

/// Channels [c, c + channels) of pixel p; channels is at most 64.
struct WordAt {
  std::size_t p, c, channels;
};

template <std::size_t kPlanes>
struct PlaneFlips {
  explicit PlaneFlips(const RankCodes& ranks) {
    for (std::size_t b = 0; b < kPlanes; ++b) {
      base[b] = spread(ranks.code_of_rank[0], b);
      for (std::size_t l = 0; l < ranks.count; ++l) {
        at[l][b] = spread(ranks.code_of_rank[l] ^ ranks.code_of_rank[l + 1], b);
      }
    }
  }
  static std::uint64_t spread(unsigned code, std::size_t plane) {
    return 0U - static_cast<std::uint64_t>((code >> plane) & 1U);
  }

  std::uint64_t base[kPlanes];                 ///< all ones where c_0 has the plane's bit
  std::uint64_t at[kMaskThresholds][kPlanes];  ///< all ones where c_l and c_{l-1} differ in it
};

template <class V, class Values, std::size_t kPlanes>
class MaskWords {
 public:
  static constexpr bool kJoinsPixels = V::kLanes > 1;

  MaskWords(const Values& values, const RankCodes& ranks)
      : values_(values), thresholds_(ranks.count), flips_(ranks) {}

  [[gnu::always_inline]] void operator()(const WordAt& at, std::uint64_t* words) const {
    if constexpr (kJoinsPixels) {
      if (at.channels == kWordChannels) return flip_words<kWordChannels>(at.p, at.c, words);
    }
    for (std::size_t b = 0; b < kPlanes; ++b) words[b] = 0;
    const auto flip_vector = [&](std::size_t i, std::size_t count) __attribute__((always_inline)) {
      const auto value = values_.at(at.p, at.c + i, count);
      std::uint64_t bits[kPlanes];
      for (std::size_t b = 0; b < kPlanes; ++b) bits[b] = flips_.base[b];
      for (std::size_t l = 0; l < thresholds_; ++l) {
        const std::uint64_t passed = V::greater(value, values_.threshold(l, at.c + i, count));
        for (std::size_t b = 0; b < kPlanes; ++b) bits[b] ^= passed & flips_.at[l][b];
      }
      const std::uint64_t valid = (std::uint64_t{1} << count) - 1;
      for (std::size_t b = 0; b < kPlanes; ++b) words[b] |= (bits[b] & valid) << i;
    };
    for_vectors<V>(at.channels, flip_vector);
  }

  template <std::size_t kGranule>
  [[gnu::always_inline]] void join(std::size_t p, std::uint64_t* words) const {
    flip_words<kGranule>(p, 0, words);
  }

 private:
  /// kGranule channels from c on, of as many pixels as fill a word; all of its vectors stay in registers
  /// while the thresholds pass by.
  template <std::size_t kGranule>
  [[gnu::always_inline]] void flip_words(std::size_t p, std::size_t c, std::uint64_t* words) const {
    constexpr std::size_t kVectors = kWordChannels / V::kLanes;
    for (std::size_t b = 0; b < kPlanes; ++b) words[b] = flips_.base[b];
    typename Values::Vector value[kVectors];
    unroll<kVectors>([&](auto i) __attribute__((always_inline)) {
      constexpr std::size_t kFirst = i * V::kLanes;
      value[i] = values_.at(p + kFirst / kGranule, c + kFirst % kGranule, V::kLanes);
    });
    for (std::size_t l = 0; l < thresholds_; ++l) {
      std::uint64_t passed = 0;
      unroll<kVectors>([&](auto i) __attribute__((always_inline)) {
        constexpr std::size_t kFirst = i * V::kLanes;
        const auto threshold = values_.threshold(l, c + kFirst % kGranule, V::kLanes);
        passed |= std::uint64_t{V::greater(value[i], threshold)} << kFirst;
      });
      for (std::size_t b = 0; b < kPlanes; ++b) words[b] ^= passed & flips_.at[l][b];
    }
  }

  Values values_;
  std::size_t thresholds_;
  PlaneFlips<kPlanes> flips_;
};

/// Bits of channels [c, c + count) of a row of bits; both are multiples of 8.
[[gnu::always_inline]] inline std::uint64_t load_bits(const std::byte* row, std::size_t c,
                                                      std::size_t count) {
  std::uint64_t bits = 0;
  if (count == kWordChannels) {
    __builtin_memcpy(&bits, row + c / 8, kWordChannels / 8);
  } else {
    for (std::size_t at = 0; at < count; at += 8) {
      bits |= static_cast<std::uint64_t>(row[(c + at) / 8]) << at;
    }
  }
  return bits;
}

template <std::size_t kPlanes>
class PassedWords {
 public:
  static constexpr bool kJoinsPixels = true;

  PassedWords(const EpilogueRow& row, const RankCodes& ranks)
      : bits_(row.passed.bits),
        threshold_stride_(row.passed.threshold_stride),
        pixel_bytes_(row.channels / 8),
        thresholds_(ranks.count),
        flips_(ranks) {}

  [[gnu::always_inline]] void operator()(const WordAt& at, std::uint64_t* words) const {
    for (std::size_t b = 0; b < kPlanes; ++b) words[b] = flips_.base[b];
    const std::byte* row = bits_ + at.p * pixel_bytes_;
    for (std::size_t l = 0; l < thresholds_; ++l, row += threshold_stride_) {
      const std::uint64_t passed = load_bits(row, at.c, at.channels);
      for (std::size_t b = 0; b < kPlanes; ++b) words[b] ^= passed & flips_.at[l][b];
    }
    const std::uint64_t valid = ~std::uint64_t{0} >> (kWordChannels - at.channels);
    for (std::size_t b = 0; b < kPlanes; ++b) words[b] &= valid;
  }

  template <std::size_t kGranule>
  [[gnu::always_inline]] void join(std::size_t p, std::uint64_t* words) const {
    // The bits of those pixels follow each other as well.
    (*this)({.p = p, .c = 0, .channels = kWordChannels}, words);
  }

 private:
  const std::byte* bits_;
  std::size_t threshold_stride_, pixel_bytes_, thresholds_;
  PlaneFlips<kPlanes> flips_;
};

/// Ranks that a step before has written.
struct GivenRanks {
  static constexpr bool kJoinsPixels = true;

  const std::uint8_t* ranks;
  std::size_t channels;
  [[gnu::always_inline]] void operator()(const WordAt& at, std::uint8_t* bytes) const {
    const std::uint8_t* from = ranks + at.p * channels + at.c;
    if (at.channels == kWordChannels) {
      __builtin_memcpy(bytes, from, kWordChannels);
    } else {
      std::size_t i = 0;  // a call of memcpy costs more than the copy
      for (; i + 8 <= at.channels; i += 8) __builtin_memcpy(bytes + i, from + i, 8);
      for (; i < at.channels; ++i) bytes[i] = from[i];
    }
  }
  template <std::size_t kGranule>
  [[gnu::always_inline]] void join(std::size_t p, std::uint8_t* bytes) const {
    __builtin_memcpy(bytes, ranks + p * kGranule, kWordChannels);
  }
};

/// Ranks of vectors, by one of the ways of finding them.
template <class V, class Rank>
struct VectorRanks {
  static constexpr bool kJoinsPixels = V::kLanes > 1;
  Rank rank;
  [[gnu::always_inline]] void operator()(const WordAt& at, std::uint8_t* bytes) const {
    for_vectors<V>(
        at.channels, [&](std::size_t i, std::size_t count) __attribute__((always_inline)) {
          V::store_bytes(bytes + i, rank(at.p, at.c + i, count), count);
        });
  }
  template <std::size_t kGranule>
  [[gnu::always_inline]] void join(std::size_t p, std::uint8_t* bytes) const {
    unroll<kWordChannels / V::kLanes>([&](auto i) __attribute__((always_inline)) {
      constexpr std::size_t kFirst = i * V::kLanes;
      V::store_bytes(bytes + kFirst, rank(p + kFirst / kGranule, kFirst % kGranule, V::kLanes), V::kLanes);
    });
  }
};

template <class V, class Ranks>
class CodeWords {
 public:
  static constexpr bool kJoinsPixels = Ranks::kJoinsPixels;

  CodeWords(const Ranks& ranks, const Epilogue& epilogue) : ranks_(ranks), planes_(epilogue.layout.planes) {
    __builtin_memset(codes_, 0, sizeof codes_);
    for (std::size_t rank = 0; rank <= epilogue.ranks.count; ++rank) {
      codes_[rank] = epilogue.ranks.code_of_rank[rank];
      rank_is_code_ = rank_is_code_ && codes_[rank] == rank;
    }
  }

  [[gnu::always_inline]] void operator()(const WordAt& at, std::uint64_t* words) const {
    alignas(64) std::uint8_t bytes[kWordChannels];
    if (at.channels != kWordChannels) __builtin_memset(bytes, 0, kWordChannels);
    ranks_(at, bytes);
    write_words(bytes, ~std::uint64_t{0} >> (kWordChannels - at.channels), words);
  }

  template <std::size_t kGranule>
  [[gnu::always_inline]] void join(std::size_t p, std::uint64_t* words) const {
    alignas(64) std::uint8_t bytes[kWordChannels];
    ranks_.template join<kGranule>(p, bytes);
    write_words(bytes, ~std::uint64_t{0}, words);
  }

 private:
  [[gnu::always_inline]] void write_words(std::uint8_t* bytes, std::uint64_t valid,
                                          std::uint64_t* words) const {
    if (!rank_is_code_) V::map_codes(bytes, codes_);
    for (std::size_t b = 0; b < planes_; ++b) words[b] = V::plane_word(bytes, b) & valid;
  }

  Ranks ranks_;
  std::size_t planes_;
  bool rank_is_code_ = true;
  alignas(64) std::uint8_t codes_[256];
};

/// The granules of one pixel: planes words, kBytes of each.
template <std::size_t kBytes>
[[gnu::always_inline]] inline void store_granules(const std::uint64_t* words, std::size_t planes,
                                                  std::size_t plane_stride, std::byte* to) {
  for (std::size_t b = 0; b < planes; ++b) __builtin_memcpy(to + b * plane_stride, &words[b], kBytes);
}

/// One row of one group, granules of kBytes; words_of(WordAt, words) gives the plane bits of up to 64
/// channels, zero beyond them.
template <std::size_t kBytes, class Words>
[[gnu::always_inline]] inline void write_group(const ActivationLayout& layout, std::size_t pixels,
                                               std::size_t first_channel, const Words& words_of,
                                               std::byte* group_start) {
  const std::size_t granule = kBytes == 8 ? layout.pixel_bytes() : kBytes;
  const std::size_t plane_stride = layout.plane_stride(), planes = layout.planes;
  const std::size_t channels = layout.group_channels();
  std::uint64_t words[kMaxActivationPlanes] = {};
  std::size_t p = 0;
  if constexpr (kBytes < 8 && Words::kJoinsPixels) {
    if (channels == 8 * kBytes && layout.groups == 1) {
      constexpr std::size_t kPixels = 8 / kBytes;
      for (; p + kPixels <= pixels; p += kPixels) {
        words_of.template join<8 * kBytes>(p, words);
        store_granules<8>(words, planes, plane_stride, group_start + p * granule);
      }
    }
  }
  for (; p < pixels; ++p) {
    for (std::size_t c = 0; c < channels; c += kWordChannels) {
      words_of({p, first_channel + c, smaller(kWordChannels, channels - c)}, words);
      store_granules<kBytes>(words, planes, plane_stride, group_start + p * granule + c / 8);
    }
  }
  const std::size_t used = pixels * granule;
  for (std::size_t b = 0; b < planes && used != plane_stride; ++b) {
    __builtin_memset(group_start + b * plane_stride + used, 0, plane_stride - used);
  }
}

template <class Words>
[[gnu::always_inline]] inline void write_planes(const Epilogue& epilogue, const EpilogueRow& row,
                                                const Words& words_of) {
  const ActivationLayout layout = epilogue.layout;
  const std::size_t pixels = row.pixels, group_bytes = layout.planes * layout.plane_stride();
  std::byte* group_start = epilogue.out_planes + row.row * layout.row_bytes();
  for (std::size_t group = 0; group < layout.groups; ++group, group_start += group_bytes) {
    const std::size_t first = group * layout.group_channels();
    if (layout.pixel_bits() == 16) {
      write_group<2>(layout, pixels, first, words_of, group_start);
    } else if (layout.pixel_bits() == 32) {
      write_group<4>(layout, pixels, first, words_of, group_start);
    } else {
      write_group<8>(layout, pixels, first, words_of, group_start);
    }
  }
}

}  // namespace
}  // namespace bitplane::kernels
