// SPDX-License-Identifier: Apache-2.0
#include "bitserial/intrinsics.h"

#include "bitserial/bitserial_infos.h"
#include "isa_unroll.h"
#include "pixel_lanes/lane_band.h"
#include "pixel_lanes/lane_transpose.h"

namespace bitplane::kernels {
namespace {

/// 32 pixels of up to 16 channels.
struct Granule16 {
  static constexpr std::size_t kBytes = 2, kWordBytes = 4;  // VPBROADCASTW takes a shuffle beside its load
  static __m512i broadcast(const std::byte* word) {
    std::int32_t twice;
    __builtin_memcpy(&twice, word, sizeof twice);
    return _mm512_set1_epi32(twice);
  }
  static __m512i constant(LaneWord word) { return _mm512_set1_epi32(word); }
  static __m512i popcount(__m512i v) { return _mm512_popcnt_epi16(v); }
  static __m512i add(__m512i a, __m512i b) { return _mm512_add_epi16(a, b); }
  static __m512i multiply(__m512i a, std::int16_t b) { return _mm512_mullo_epi16(a, _mm512_set1_epi16(b)); }
  static void store(std::int16_t* to, __m512i totals) { _mm512_storeu_si512(to, totals); }
  /// Bit `channel` of the granules whose value is greater; it was not set.
  static __m512i add_passed(__m512i bits, __m512i values, LaneWord threshold, std::size_t channel) {
    return _mm512_mask_add_epi16(bits, _mm512_cmpgt_epi16_mask(values, constant(threshold)), bits,
                                 _mm512_set1_epi16(static_cast<std::int16_t>(1U << channel)));
  }
};

/// 16 pixels of up to 32 channels.
struct Granule32 {
  static constexpr std::size_t kBytes = 4, kWordBytes = 4;
  static __m512i broadcast(const std::byte* word) { return Granule16::broadcast(word); }
  static __m512i constant(LaneWord word) { return _mm512_set1_epi32(word); }
  static __m512i popcount(__m512i v) { return _mm512_popcnt_epi32(v); }
  static __m512i add(__m512i a, __m512i b) { return _mm512_add_epi32(a, b); }
  static __m512i multiply(__m512i a, std::int16_t b) { return _mm512_mullo_epi32(a, _mm512_set1_epi32(b)); }
  static void store(std::int16_t* to, __m512i totals) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_cvtepi32_epi16(totals));
  }
  static __m512i add_passed(__m512i bits, __m512i values, LaneWord threshold, std::size_t channel) {
    return _mm512_mask_add_epi32(bits, _mm512_cmpgt_epi32_mask(values, constant(threshold)), bits,
                                 _mm512_set1_epi32(static_cast<std::int32_t>(1U << channel)));
  }
};

/// 8 pixels of up to 64 channels.
struct Granule64 {
  static constexpr std::size_t kBytes = 8, kWordBytes = 8;
  static __m512i broadcast(const std::byte* word) {
    long long value;
    __builtin_memcpy(&value, word, sizeof value);
    return _mm512_set1_epi64(value);
  }
  static __m512i constant(LaneWord word) { return _mm512_set1_epi64(word); }
  static __m512i popcount(__m512i v) { return _mm512_popcnt_epi64(v); }
  static __m512i add(__m512i a, __m512i b) { return _mm512_add_epi64(a, b); }
  /// Counts are small: the product of the low halves is all of it.
  static __m512i multiply(__m512i a, std::int16_t b) { return _mm512_mul_epi32(a, _mm512_set1_epi64(b)); }
  static void store(std::int16_t* to, __m512i totals) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtepi64_epi16(totals));
  }
  static __m512i add_passed(__m512i bits, __m512i values, LaneWord threshold, std::size_t channel) {
    return _mm512_mask_add_epi64(bits, _mm512_cmpgt_epi64_mask(values, constant(threshold)), bits,
                                 _mm512_set1_epi64(static_cast<long long>(std::uint64_t{1} << channel)));
  }
};

struct ChannelTotals {
  __m512i at[kLaneChannelTile];
};

/// 4 channels of one register of positions.
template <class Granule, LanePairOp kOp, std::size_t kPlanes>
[[gnu::always_inline]] inline ChannelTotals count_channels(const LaneBand& band, std::size_t position,
                                                           std::size_t channel) {
  constexpr std::size_t kChannels = kLaneChannelTile;
  const std::byte* words = band.words + channel * band.weight_planes * band.taps * Granule::kWordBytes;
  const std::byte* const from = band.planes + position * Granule::kBytes;
  ChannelTotals totals;
  unroll<kChannels>([&](auto c) __attribute__((always_inline)) {
    totals.at[c] = Granule::constant(band.starts[channel + c]);
  });
  for (std::size_t i = 0; i < band.weight_planes; ++i) {
    __m512i counts[kChannels][kPlanes];
    unroll<kChannels * kPlanes>([&](auto at) __attribute__((always_inline)) {
      counts[at / kPlanes][at % kPlanes] = _mm512_setzero_si512();
    });
    for (std::size_t tap = 0; tap < band.taps; ++tap, words += kChannels * Granule::kWordBytes) {
      const std::byte* const at = from + band.tap_positions[tap] * Granule::kBytes;
      __m512i bits[kPlanes];
      unroll<kPlanes>([&](auto j) __attribute__((always_inline)) {
        bits[j] = _mm512_loadu_si512(at + j * band.plane_stride);
      });
      unroll<kChannels>([&](auto c) __attribute__((always_inline)) {
        const __m512i word = Granule::broadcast(words + c * Granule::kWordBytes);
        unroll<kPlanes>([&](auto j) __attribute__((always_inline)) {
          const __m512i pair =
              kOp == LanePairOp::And ? _mm512_and_si512(word, bits[j]) : _mm512_xor_si512(word, bits[j]);
          counts[c][j] = Granule::add(counts[c][j], Granule::popcount(pair));
        });
      });
    }
    unroll<kPlanes>([&](auto j) __attribute__((always_inline)) {
      const std::int16_t factor = band.factors[i * kPlanes + j];
      unroll<kChannels>([&](auto c) __attribute__((always_inline)) {
        totals.at[c] = Granule::add(totals.at[c], Granule::multiply(counts[c][j], factor));
      });
    });
  }
  return totals;
}

template <class Granule, LanePairOp kOp, std::size_t kPlanes>
void write_sums(const LaneBand& band, std::size_t position) noexcept {
  for (std::size_t channel = 0; channel < band.channels; channel += kLaneChannelTile) {
    const ChannelTotals totals = count_channels<Granule, kOp, kPlanes>(band, position, channel);
    unroll<kLaneChannelTile>([&](auto c) __attribute__((always_inline)) {
      Granule::store(band.sums + (channel + c) * band.sum_stride + position, totals.at[c]);
    });
  }
}

/// Plane after plane of the codes, from the bits of each threshold.
[[gnu::always_inline]] inline void write_planes(const LaneCodes& codes, const __m512i* passed,
                                                std::size_t offset) {
  for (std::size_t b = 0; b < codes.plane_count; ++b) {
    __m512i plane = _mm512_set1_epi32((codes.first >> b & 1U) != 0 ? -1 : 0);
    for (std::size_t l = 0; l < codes.threshold_count; ++l) {
      if ((codes.flips[l] >> b & 1U) != 0) plane = _mm512_xor_si512(plane, passed[l]);
    }
    _mm512_storeu_si512(codes.planes + b * codes.plane_stride + offset, plane);
  }
}

template <class Granule, LanePairOp kOp, std::size_t kPlanes>
void write_codes(const LaneBand& band, std::size_t position) noexcept {
  const LaneCodes& codes = band.codes;
  __m512i passed[kMostPassed];
  for (std::size_t l = 0; l < codes.threshold_count; ++l) passed[l] = _mm512_setzero_si512();
  for (std::size_t channel = 0; channel < band.channels; channel += kLaneChannelTile) {
    ChannelTotals totals = count_channels<Granule, kOp, kPlanes>(band, position, channel);
    unroll<kLaneChannelTile>([&](auto c) __attribute__((always_inline)) {
      totals.at[c] = _mm512_xor_si512(totals.at[c], Granule::constant(codes.flip[channel + c]));
    });
    for (std::size_t l = 0; l < codes.threshold_count; ++l) {
      const LaneWord* const thresholds = codes.thresholds + l * band.channels + channel;
      unroll<kLaneChannelTile>([&](auto c) __attribute__((always_inline)) {
        passed[l] = Granule::add_passed(passed[l], totals.at[c], thresholds[c], channel + c);
      });
    }
  }
  write_planes(codes, passed, position * Granule::kBytes);
}

template <class Granule, LanePairOp kOp, std::size_t kPlanes>
void count_band(const LaneBand& band) noexcept {
  for (std::size_t position = 0; position < band.positions; position += 64 / Granule::kBytes) {
    if (band.codes.planes != nullptr) {
      write_codes<Granule, kOp, kPlanes>(band, position);
    } else {
      write_sums<Granule, kOp, kPlanes>(band, position);
    }
  }
}

template <class Granule>
void run_counted(const LaneBand& band) noexcept {
  using Run = void (*)(const LaneBand&) noexcept;
  static constexpr Run kRuns[kLanePlanes][2] = {
      {count_band<Granule, LanePairOp::And, 1>, count_band<Granule, LanePairOp::Xor, 1>},
      {count_band<Granule, LanePairOp::And, 2>, count_band<Granule, LanePairOp::Xor, 2>},
      {count_band<Granule, LanePairOp::And, 3>, count_band<Granule, LanePairOp::Xor, 3>},
      {count_band<Granule, LanePairOp::And, 4>, count_band<Granule, LanePairOp::Xor, 4>}};
  kRuns[band.activation_planes - 1][static_cast<std::size_t>(band.op)](band);
}

}  // namespace

constinit const LaneKernels kLaneCountsAvx512{
    .info = kBitSerialInfos[4],
    .method = LaneMethod::Counted,
    .register_bytes = 64,
    .code_bytes = 8,
    .run = {run_counted<Granule16>, run_counted<Granule32>, run_counted<Granule64>},
    .transpose = transpose_sums,
};

}  // namespace bitplane::kernels
