// SPDX-License-Identifier: Apache-2.0
//
// GDRQ's schedule (Yu et al., 2019): training with reshaping, where weights stay float and are clipped to k_w
// mean magnitudes after each step, then conversion and fine-tuning with bits. Activations are clipped at
// their running T in both; while weights are float they have 8 bits, which the clip point outweighs by far.
// Activations that stay float in the end are float, and not clipped, in both. Without reshaping, as the paper
// measures what groups do alone (its table 1, with alpha=search), the float net's weights are converted as
// they are.
#include <algorithm>
#include <array>
#include <string_view>

#include "trainer/procedures/rows.h"

namespace bitplane::train {
namespace {

constexpr std::uint64_t kReshapingBits = 8;

constexpr std::array<std::string_view, 2> kReshaping{"on", "off"};
constexpr std::array kGdrqOptions{
    OptionInfo{
        .name = "reshaping",
        .help = "whether the stage reshape comes first: on, or off (the float net is converted as it is)",
        .kind = OptionKind::Choice,
        .choices = kReshaping},
};

void gdrq_defaults(Config& config) {
  config.lr = 0.1;
  config.schedule = "step";
  config.drop_factor = 0.1;
  config.warmup = 0;
  config.epochs = 5;
}

std::vector<Stage> gdrq_stages(const Config& /*request*/, const OptionValues& options) {
  std::vector<Stage> stages;
  if (OptionReader(kGdrqOptions, options).choice("reshaping") == "on") {
    stages.push_back({.name = "reshape",
                      .description = "float weights, clipped to k_w mean magnitudes after each step",
                      .change = [](Config& config) {
                        config.wbits = kFloatBits;
                        if (config.abits != kFloatBits) config.abits = kReshapingBits;
                        config.options["reshape"] = "project";
                      }});
  }
  stages.push_back({.name = "fine-tune",
                    .description = "weights and activations of the bits asked for",
                    .change = [](Config& config) { config.lr *= kFineTuneShare; }});
  return stages;
}

}  // namespace

constexpr ProcedureInfo kGdrqProcedure{.method = "gdrq",
                                       .description = "reshapes float weights, then trains with bits",
                                       .defaults = gdrq_defaults,
                                       .options = kGdrqOptions,
                                       .stages = gdrq_stages};

}  // namespace bitplane::train
