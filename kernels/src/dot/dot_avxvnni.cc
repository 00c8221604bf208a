// SPDX-License-Identifier: Apache-2.0
#include "dot/avx2_backend.h"
#include "dot/dot_infos.h"

namespace bitplane::kernels {
namespace {

/// The VEX form of VPDPBUSD: four products per lane, modulo 2^32.
struct AvxVnni : Avx2Lanes {
  using Counter = __m256i;
  static Counter zero() { return _mm256_setzero_si256(); }
  static void add(Counter& counter, Pixels x, Weights w) { counter = _mm256_dpbusd_avx_epi32(counter, x, w); }
  using Avx2Lanes::add;
  static Ints sums(Counter counter) { return counter; }
};

}  // namespace

constinit const DotKernels kDotAvxVnni{
    .info = kDotInfos[1],
    .lanes = AvxVnni::kLanes,
    .register_sizes = {2, 1, 0},
    .segment_steps = 1,
    .slack_pixels = 0,
    .chunk_bytes = 16 * 1024,
    .formats = {{.element_bytes = 1,
                 .weights = {-128, 127},
                 .activations = {0, 255},
                 .lane_limit = 0,
                 .least_steps = 0,
                 .lane_sums = LaneSums::EndChunks,
                 .run_panel = {run_dot_panel<AvxVnni, 2>, run_dot_panel<AvxVnni, 1>},
                 .expand_pixels = expand_pixels<Avx2ByteElements>},
                {},
                {}},
    .expand_weights = expand_weights<AvxVnni>,
    .begin = nullptr,
    .end = nullptr,
};

}  // namespace bitplane::kernels
