// SPDX-License-Identifier: Apache-2.0
//
// SLQ, ESLQ and INQ: in each stage every layer quantizes its next part, and what is left is trained with the
// schedule from its start. How many stages there are the method and its bits say.
#include "trainer/procedures/incremental.h"
#include "trainer/procedures/post_training.h"
#include "trainer/procedures/rows.h"
#include "trainer/quantizers/list.h"

namespace bitplane::train {
namespace {

std::size_t parts_of(const Config& request) {
  const QuantizerInfo* info = find_quantizer(find_method(request.method).weight_quantizer);
  const auto quantizer = info->make_weights({.bits = request.wbits, .options = request.options});
  return dynamic_cast<const IncrementalWeights&>(*quantizer).parts();
}

std::vector<Stage> part_stages(const Config& request, const OptionValues& options) {
  const std::size_t parts = parts_of(request);
  std::vector<Stage> stages;
  for (std::size_t part = 1; part <= parts; ++part) {
    stages.push_back({.name = "part-" + std::to_string(part),
                      .description = "part " + std::to_string(part) + " of " + std::to_string(parts) +
                                     " is quantized" +
                                     (part < parts ? ", the rest trained" : ", what is not a weight trained"),
                      .change = restart_rate,
                      .prepare = [](const StageStart& start) {
                        quantize_next_part(start, incremental_layers(start.point.net), loss_on_subset(start));
                        return report_parts(start);
                      }});
  }
  calibrate_activations_last(request, options, stages);
  return stages;
}

constexpr std::string_view kPartByPart = "quantizes the weights part by part and trains those that are left";

}  // namespace

constexpr ProcedureInfo kSlqProcedure{.method = "slq",
                                      .description = kPartByPart,
                                      .defaults = incremental_defaults,
                                      .options = {&kCalibrate, 1},
                                      .go_on = give_bits_to_activations,
                                      .stages = part_stages,
                                      .lr_divisor = kIncrementalLrDivisor,
                                      .shared = kIncrementalShared};
constexpr ProcedureInfo kEslqProcedure{.method = "eslq",
                                       .description = kPartByPart,
                                       .defaults = incremental_defaults,
                                       .options = {&kCalibrate, 1},
                                       .go_on = give_bits_to_activations,
                                       .stages = part_stages,
                                       .lr_divisor = kIncrementalLrDivisor,
                                       .shared = kIncrementalShared};
constexpr ProcedureInfo kInqProcedure{.method = "inq",
                                      .description = kPartByPart,
                                      .defaults = incremental_defaults,
                                      .options = {&kCalibrate, 1},
                                      .go_on = give_bits_to_activations,
                                      .stages = part_stages,
                                      .lr_divisor = kIncrementalLrDivisor,
                                      .shared = kIncrementalShared};

}  // namespace bitplane::train
