// SPDX-License-Identifier: Apache-2.0
#include "dot/avx2_backend.h"
#include "dot/dot_infos.h"

namespace bitplane::kernels {
namespace {

/// Byte elements: pairs of products are added in 16-bit lanes and stay there for a whole chunk, one VPADDW
/// per VPMADDUBSW; the chunk's length keeps them from saturating.
struct Avx2Bytes : Avx2Lanes {
  using Counter = __m256i;
  static Counter zero() { return _mm256_setzero_si256(); }
  static void add(Counter& counter, Pixels x, Weights w) {
    counter = _mm256_add_epi16(counter, _mm256_maddubs_epi16(x, w));
  }
  using Avx2Lanes::add;
  static Ints sums(Counter counter) { return _mm256_madd_epi16(counter, _mm256_set1_epi16(1)); }
};

/// 16-bit elements, where the products of bytes would saturate after a few steps.
struct Avx2Words : Avx2Lanes {
  using Counter = __m256i;
  static Counter zero() { return _mm256_setzero_si256(); }
  static void add(Counter& counter, Pixels x, Weights w) {
    counter = _mm256_add_epi32(counter, _mm256_madd_epi16(x, w));
  }
  using Avx2Lanes::add;
  static Ints sums(Counter counter) { return counter; }
};

/// 16 word elements: word i of the register looks at bit i.
struct Avx2WordElements {
  using Vector = __m256i;
  static constexpr std::size_t kBits = 16, kElementBytes = 2;
  static Vector set(std::uint16_t value) { return _mm256_set1_epi16(static_cast<short>(value)); }
  static Vector add_where(Vector x, std::uint64_t bits, Vector value) {
    const Vector bit_of =
        _mm256_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, -32768);
    const Vector spread = _mm256_set1_epi16(static_cast<short>(bits & 0xFFFFU));
    const Vector set_ones = _mm256_cmpeq_epi16(_mm256_and_si256(spread, bit_of), bit_of);
    return _mm256_add_epi16(x, _mm256_and_si256(set_ones, value));
  }
  static void store(std::byte* p, Vector x) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x); }
};

}  // namespace

constinit const DotKernels kDotAvx2{
    .info = kDotInfos[0],
    .lanes = Avx2Lanes::kLanes,
    .register_sizes = {2, 1, 0},
    .segment_steps = 1,
    .slack_pixels = 0,
    .chunk_bytes = 16 * 1024,
    // 3x3 layers of 256 channels, GMAC/s: 88 with words; 80 with chunks that end after 8 steps (6/6 bits),
    // 144 with widened sums; 145 and 170 with 33 steps (5/5); 120 with 4 (5/8); 176 where 136 steps fit
    // (4/4).
    .formats = {{.element_bytes = 1,
                 .weights = {-128, 127},
                 .activations = {0, 255},
                 .lane_limit = 32767,
                 .least_steps = 128,
                 .lane_sums = LaneSums::EndChunks,
                 .run_panel = {run_dot_panel<Avx2Bytes, 2>, run_dot_panel<Avx2Bytes, 1>},
                 .expand_pixels = expand_pixels<Avx2ByteElements>},
                {.element_bytes = 1,
                 .weights = {-128, 127},
                 .activations = {0, 255},
                 .lane_limit = 32767,
                 .least_steps = 4,
                 .lane_sums = LaneSums::Widen,
                 .run_panel = {run_dot_panel<Avx2Bytes, 2, LaneSums::Widen>,
                               run_dot_panel<Avx2Bytes, 1, LaneSums::Widen>},
                 .expand_pixels = expand_pixels<Avx2ByteElements>},
                {.element_bytes = 2,
                 .weights = {-32767, 32767},
                 .activations = {-32767, 32767},
                 .lane_limit = 0,
                 .least_steps = 0,
                 .lane_sums = LaneSums::EndChunks,
                 .run_panel = {run_dot_panel<Avx2Words, 2>, run_dot_panel<Avx2Words, 1>},
                 .expand_pixels = expand_pixels<Avx2WordElements>}},
    .expand_weights = expand_weights<Avx2Lanes>,
    .begin = nullptr,
    .end = nullptr,
};

}  // namespace bitplane::kernels
