// SPDX-License-Identifier: Apache-2.0
#include <immintrin.h>

#include "isa_unroll.h"
#include "lut/lut_infos.h"
#include "pixel_lanes/lane_band.h"
#include "pixel_lanes/lane_transpose.h"

namespace bitplane::kernels {
namespace {

constexpr std::size_t kLanes = 32;
constexpr std::size_t kCodeBytes = 4;  // of granules whose bits are put together here

[[gnu::always_inline]] inline __m256i load(const void* from) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(from));
}
[[gnu::always_inline]] inline void store(void* to, __m256i v) {
  _mm256_storeu_si256(static_cast<__m256i*>(to), v);
}

/// Byte `byte` of each of 32 granules of 16 bits.
[[gnu::always_inline]] inline __m256i bytes_of_16(const std::byte* from, std::size_t byte) {
  const __m128i shift = _mm_cvtsi32_si128(static_cast<int>(8 * byte));
  const __m256i low = _mm256_set1_epi16(255);
  const auto words = [&](std::size_t at) __attribute__((always_inline)) {
    return _mm256_and_si256(_mm256_srl_epi16(load(from + at), shift), low);
  };
  return _mm256_permute4x64_epi64(_mm256_packus_epi16(words(0), words(32)), 0xd8);
}

/// The same of 32 dwords in four registers.
[[gnu::always_inline]] inline __m256i bytes_of_dwords(const __m256i (&dwords)[4], std::size_t byte) {
  const __m128i shift = _mm_cvtsi32_si128(static_cast<int>(8 * byte));
  const auto low = [&](std::size_t i) __attribute__((always_inline)) {
    return _mm256_and_si256(_mm256_srl_epi32(dwords[i], shift), _mm256_set1_epi32(255));
  };
  const __m256i words =
      _mm256_packus_epi16(_mm256_packus_epi32(low(0), low(1)), _mm256_packus_epi32(low(2), low(3)));
  return _mm256_permutevar8x32_epi32(words, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

/// Byte `byte` of each of 32 granules of kBytes.
template <std::size_t kBytes>
[[gnu::always_inline]] inline __m256i granule_bytes(const std::byte* from, std::size_t byte) {
  if constexpr (kBytes == 2) return bytes_of_16(from, byte);
  __m256i dwords[4];
  unroll<4>([&](auto i) __attribute__((always_inline)) {
    if constexpr (kBytes == 4) {
      dwords[i] = load(from + 32 * i);
    } else {
      const __m256 a = _mm256_castsi256_ps(load(from + 64 * i)),
                   b = _mm256_castsi256_ps(load(from + 64 * i + 32));
      const __m256 halves = byte < 4 ? _mm256_shuffle_ps(a, b, 0x88) : _mm256_shuffle_ps(a, b, 0xdd);
      dwords[i] = _mm256_permute4x64_epi64(_mm256_castps_si256(halves), 0xd8);
    }
  });
  return bytes_of_dwords(dwords, byte % 4);
}

/// The 16 sums of the values of 4 channels, at 32 positions.
[[gnu::always_inline]] inline void write_tables(const __m256i (&values)[4], std::uint8_t* to,
                                                std::size_t stride) {
  __m256i sums[16];
  sums[0] = _mm256_setzero_si256();
  store(to, sums[0]);
  unroll<4>([&](auto b) __attribute__((always_inline)) {
    constexpr std::size_t kBit = std::size_t{1} << b;
    unroll<kBit>([&](auto below) __attribute__((always_inline)) {
      sums[kBit + below] = below == 0 ? values[b] : _mm256_add_epi8(sums[below], values[b]);
      store(to + (kBit + below) * stride, sums[kBit + below]);
    });
  });
}

template <std::size_t kBytes>
void make_tables(const LaneBand& band) noexcept {
  const __m256i low = _mm256_set1_epi8(15);
  for (std::size_t position = 0; position < band.table_stride; position += kLanes) {
    const std::byte* const from = band.planes + position * kBytes;
    for (std::size_t quad = 0; quad < band.quads; quad += 2) {
      __m256i values[2][4];
      unroll<8>([&](auto i)
                    __attribute__((always_inline)) { values[i / 4][i % 4] = _mm256_setzero_si256(); });
      for (std::size_t j = 0; j < band.activation_planes; ++j) {
        const __m256i bytes = granule_bytes<kBytes>(from + j * band.plane_stride, quad / 2);
        const __m256i nibbles[2] = {_mm256_and_si256(bytes, low),
                                    _mm256_and_si256(_mm256_srli_epi16(bytes, 4), low)};
        unroll<8>([&](auto i) __attribute__((always_inline)) {
          constexpr std::size_t kBit = i % 4, kHalf = i / 4;
          const auto* table = reinterpret_cast<const __m128i*>(band.bit_values + (j * 4 + kBit) * 16);
          const __m256i value =
              _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_load_si128(table)), nibbles[kHalf]);
          values[kHalf][kBit] = _mm256_add_epi8(values[kHalf][kBit], value);
        });
      }
      std::uint8_t* const to = band.tables + quad * 16 * band.table_stride + position;
      write_tables(values[0], to, band.table_stride);
      if (quad + 1 < band.quads) write_tables(values[1], to + 16 * band.table_stride, band.table_stride);
    }
  }
}

/// Sums of words: those of the even positions of a register, then those of the odd ones.
template <std::size_t kRegisters>
struct WordSums {
  __m256i at[kRegisters][2];
};

/// What `look_ups` add up to at kRegisters * 32 positions.
template <std::size_t kRegisters>
[[gnu::always_inline]] inline WordSums<kRegisters> add_look_ups(const LaneBand& band,
                                                                const std::uint16_t* look_ups,
                                                                std::size_t position) {
  const std::uint8_t* const tables = band.tables + position;
  const __m256i low = _mm256_set1_epi16(255);
  WordSums<kRegisters> sums;
  unroll<kRegisters>([&](auto r) __attribute__((always_inline)) {
    sums.at[r][0] = sums.at[r][1] = _mm256_setzero_si256();
  });
  for (std::size_t done = 0; done < band.look_up_count;) {
    const std::size_t left = band.look_up_count - done;
    const std::size_t end = done + (left < band.widen_every ? left : band.widen_every);
    __m256i bytes[kRegisters];
    unroll<kRegisters>([&](auto r) __attribute__((always_inline)) { bytes[r] = _mm256_setzero_si256(); });
    for (; done < end; ++done) {
      const std::uint8_t* const table = tables + look_ups[done];
      unroll<kRegisters>([&](auto r) __attribute__((always_inline)) {
        bytes[r] = _mm256_add_epi8(bytes[r], load(table + r * kLanes));
      });
    }
    unroll<kRegisters>([&](auto r) __attribute__((always_inline)) {
      sums.at[r][0] = _mm256_add_epi16(sums.at[r][0], _mm256_and_si256(bytes[r], low));
      sums.at[r][1] = _mm256_add_epi16(sums.at[r][1], _mm256_srli_epi16(bytes[r], 8));
    });
  }
  return sums;
}

template <std::size_t kRegisters>
[[gnu::always_inline]] inline void scale(WordSums<kRegisters>& sums, std::int16_t factor) {
  const __m256i by = _mm256_set1_epi16(factor);
  unroll<2 * kRegisters>([&](auto i) __attribute__((always_inline)) {
    sums.at[i / 2][i % 2] = _mm256_mullo_epi16(sums.at[i / 2][i % 2], by);
  });
}

/// Words a[0], b[0], a[1], b[1], .. of both.
struct Interleaved {
  __m256i low, high;
};
[[gnu::always_inline]] inline Interleaved interleave(__m256i a, __m256i b) {
  const __m256i low = _mm256_unpacklo_epi16(a, b), high = _mm256_unpackhi_epi16(a, b);
  return {_mm256_permute2x128_si256(low, high, 0x20), _mm256_permute2x128_si256(low, high, 0x31)};
}

template <std::size_t kRegisters>
[[gnu::always_inline]] inline void store_in_order(const WordSums<kRegisters>& sums, std::int16_t* to) {
  unroll<kRegisters>([&](auto r) __attribute__((always_inline)) {
    const Interleaved words = interleave(sums.at[r][0], sums.at[r][1]);
    store(to + r * kLanes, words.low);
    store(to + r * kLanes + 16, words.high);
  });
}

/// The bits of the thresholds that are passed, kWords words of 16 channels at each position.
template <std::size_t kRegisters, std::size_t kWords>
struct PassedBits {
  WordSums<kRegisters> at[kMostPassed][kWords];
};

[[gnu::always_inline]] inline __m256i broadcast(LaneWord word) {
  return _mm256_set1_epi16(static_cast<std::int16_t>(word));
}

template <std::size_t kRegisters, std::size_t kWords>
[[gnu::always_inline]] inline void add_passed(const LaneBand& band, const WordSums<kRegisters>& totals,
                                              std::size_t channel, PassedBits<kRegisters, kWords>& passed) {
  const __m256i flip = broadcast(band.codes.flip[channel]);
  const __m256i bit = _mm256_set1_epi16(static_cast<std::int16_t>(1U << channel % 16));
  for (std::size_t l = 0; l < band.codes.threshold_count; ++l) {
    const __m256i threshold = broadcast(band.codes.thresholds[l * band.channels + channel]);
    WordSums<kRegisters>& bits = passed.at[l][channel / 16];
    unroll<2 * kRegisters>([&](auto i) __attribute__((always_inline)) {
      const __m256i value = _mm256_xor_si256(totals.at[i / 2][i % 2], flip);
      const __m256i set = _mm256_and_si256(_mm256_cmpgt_epi16(value, threshold), bit);
      bits.at[i / 2][i % 2] = _mm256_or_si256(bits.at[i / 2][i % 2], set);
    });
  }
}

/// Plane after plane of the codes, from the bits of each threshold.
template <std::size_t kRegisters, std::size_t kWords>
[[gnu::always_inline]] inline void write_planes(const LaneCodes& codes, std::size_t position,
                                                const PassedBits<kRegisters, kWords>& passed) {
  for (std::size_t b = 0; b < codes.plane_count; ++b) {
    std::byte* const to = codes.planes + b * codes.plane_stride + position * 2 * kWords;
    const __m256i first = _mm256_set1_epi16((codes.first >> b & 1U) != 0 ? -1 : 0);
    unroll<kRegisters>([&](auto r) __attribute__((always_inline)) {
      Interleaved words[kWords];
      unroll<kWords>([&](auto w) __attribute__((always_inline)) {
        __m256i even = first, odd = first;
        for (std::size_t l = 0; l < codes.threshold_count; ++l) {
          if ((codes.flips[l] >> b & 1U) == 0) continue;
          even = _mm256_xor_si256(even, passed.at[l][w].at[r][0]);
          odd = _mm256_xor_si256(odd, passed.at[l][w].at[r][1]);
        }
        words[w] = interleave(even, odd);
      });
      std::byte* const at = to + r * kLanes * 2 * kWords;
      if constexpr (kWords == 1) {
        store(at, words[0].low);
        store(at + 32, words[0].high);
      } else {
        const Interleaved low = interleave(words[0].low, words[1].low),
                          high = interleave(words[0].high, words[1].high);
        store(at, low.low);
        store(at + 32, low.high);
        store(at + 64, high.low);
        store(at + 96, high.high);
      }
    });
  }
}

/// sum_factor S.
template <std::size_t kRegisters>
[[gnu::always_inline]] inline WordSums<kRegisters> sums_of_all(const LaneBand& band, std::size_t position) {
  WordSums<kRegisters> sums;
  unroll<2 * kRegisters>([&](auto i) __attribute__((always_inline)) {
    sums.at[i / 2][i % 2] = _mm256_setzero_si256();
  });
  if (band.sum_factor == 0) return sums;
  sums = add_look_ups<kRegisters>(band, band.sum_look_ups, position);
  scale(sums, band.sum_factor);
  return sums;
}

/// One channel; `totals` starts as sum_factor S.
template <std::size_t kRegisters>
[[gnu::always_inline]] inline WordSums<kRegisters> totals_of(const LaneBand& band, std::size_t channel,
                                                             std::size_t position,
                                                             WordSums<kRegisters> totals) {
  for (std::size_t i = 0; i < band.weight_planes; ++i) {
    WordSums<kRegisters> sums = add_look_ups<kRegisters>(
        band, band.look_ups + (i * band.channels + channel) * band.look_up_count, position);
    scale(sums, band.plane_factors[i]);
    unroll<2 * kRegisters>([&](auto at) __attribute__((always_inline)) {
      totals.at[at / 2][at % 2] = _mm256_add_epi16(totals.at[at / 2][at % 2], sums.at[at / 2][at % 2]);
    });
  }
  return totals;
}

/// All channels at kRegisters * 32 positions, whose tables stay in the first-level cache meanwhile.
template <std::size_t kRegisters>
void write_sums(const LaneBand& band, std::size_t position) noexcept {
  const WordSums<kRegisters> start = sums_of_all<kRegisters>(band, position);
  for (std::size_t channel = 0; channel < band.channels; ++channel) {
    store_in_order(totals_of(band, channel, position, start),
                   band.sums + channel * band.sum_stride + position);
  }
}

template <std::size_t kRegisters, std::size_t kWords>
void write_codes(const LaneBand& band, std::size_t position) noexcept {
  PassedBits<kRegisters, kWords> passed;
  for (std::size_t l = 0; l < band.codes.threshold_count; ++l) {
    unroll<kWords * 2 * kRegisters>([&](auto i) __attribute__((always_inline)) {
      passed.at[l][i / (2 * kRegisters)].at[i / 2 % kRegisters][i % 2] = _mm256_setzero_si256();
    });
  }
  const WordSums<kRegisters> start = sums_of_all<kRegisters>(band, position);
  for (std::size_t channel = 0; channel < band.channels; ++channel)
    add_passed(band, totals_of(band, channel, position, start), channel, passed);
  write_planes(band.codes, position, passed);
}

template <std::size_t kBytes, std::size_t kRegisters>
void run_positions(const LaneBand& band, std::size_t position) noexcept {
  if constexpr (kBytes <= kCodeBytes) {
    if (band.codes.planes != nullptr) return write_codes<kRegisters, kBytes / 2>(band, position);
  }
  write_sums<kRegisters>(band, position);
}

template <std::size_t kBytes>
void run_tables(const LaneBand& band) noexcept {
  make_tables<kBytes>(band);
  std::size_t position = 0;
  for (; position + 3 * kLanes <= band.positions; position += 3 * kLanes)
    run_positions<kBytes, 3>(band, position);
  const std::size_t left = (band.positions - position) / kLanes;
  if (left == 2) run_positions<kBytes, 2>(band, position);
  if (left == 1) run_positions<kBytes, 1>(band, position);
}

}  // namespace

constinit const LaneKernels kLaneTablesAvx2{
    .info = kLutInfos[4],
    .method = LaneMethod::Tables,
    .register_bytes = kLanes,
    .code_bytes = kCodeBytes,
    .run = {run_tables<2>, run_tables<4>, run_tables<8>},
    .transpose = transpose_sums,
};

}  // namespace bitplane::kernels
