// SPDX-License-Identifier: Apache-2.0
//
// GDRQ's schedule (Yu et al., 2019): training with reshaping, where weights stay float and are clipped to k_w
// mean magnitudes after each step, then conversion and fine-tuning with bits. Activations are clipped at
// their running T in both; while weights are float they have 8 bits, which the clip point outweighs by far.
// Activations that stay float in the end are float, and not clipped, in both.
#include <algorithm>

#include "trainer/procedures/rows.h"

namespace bitplane::train {
namespace {

constexpr std::uint64_t kReshapingBits = 8;

void gdrq_defaults(Config& config) {
  config.lr = 0.01;
  config.schedule = "step";
  config.warmup = 0;
  config.epochs = 5;
}

std::vector<Stage> gdrq_stages(const Config& /*request*/, const OptionValues& /*options*/) {
  return {{.name = "reshape",
           .description = "float weights, clipped to k_w mean magnitudes after each step",
           .change =
               [](Config& config) {
                 config.wbits = kFloatBits;
                 if (config.abits != kFloatBits) config.abits = kReshapingBits;
                 config.options["reshape"] = "project";
               }},
          {.name = "fine-tune", .description = "weights and activations of the bits asked for"}};
}

}  // namespace

constexpr ProcedureInfo kGdrqProcedure{.method = "gdrq",
                                       .description = "reshapes float weights, then trains with bits",
                                       .defaults = gdrq_defaults,
                                       .options = {},
                                       .stages = gdrq_stages};

}  // namespace bitplane::train
