// SPDX-License-Identifier: Apache-2.0
#include "dot/avx512_backend.h"
#include "dot/dot_infos.h"

namespace bitplane::kernels {
constinit const DotKernels kDotAvx512{
    .info = kDotInfos[2],
    .lanes = Avx512Lanes::kLanes,
    .register_sizes = {4, 2, 1},
    .segment_steps = 1,
    .slack_pixels = 0,
    .chunk_bytes = 24 * 1024,
    .formats = {{.element_bytes = 1,
                 .weights = {-128, 127},
                 .activations = {0, 255},
                 .lane_limit = 0,
                 .least_steps = 0,
                 .lane_sums = LaneSums::EndChunks,
                 .run_panel = {run_dot_panel<Avx512Lanes, 4>, run_dot_panel<Avx512Lanes, 2>,
                               run_dot_panel<Avx512Lanes, 1>},
                 .expand_pixels = expand_pixels<Avx512ByteElements>},
                {},
                {}},
    .expand_weights = expand_weights<Avx512Lanes>,
    .begin = nullptr,
    .end = nullptr,
};

}  // namespace bitplane::kernels
