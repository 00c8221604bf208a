// SPDX-License-Identifier: Apache-2.0
//
// MLQ: groups of layers, the costliest first. First the boundaries of one group after another, then the
// hearts of one group after another; in between everything else is trained. Which layers are costly is
// measured once, at the start: the loss with only this layer's boundaries quantized.
#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "trainer/procedures/incremental.h"
#include "trainer/procedures/post_training.h"
#include "trainer/procedures/rows.h"
#include "trainer/quantizers/clustering/mlq.h"

namespace bitplane::train {
namespace {

constexpr std::array kMlqOptions{
    OptionInfo{.name = "conv_groups",
               .help = "groups of convolutions, the costliest first",
               .default_value = 3,
               .min = 1,
               .max = 64},
    OptionInfo{.name = "linear_groups",
               .help = "groups of linear layers, behind those of the convolutions; 0: among these",
               .default_value = 1,
               .min = 0,
               .max = 64},
    kCalibrate,
};

struct Groups {
  std::size_t conv, linear;
  [[nodiscard]] std::size_t count() const noexcept { return conv + linear; }
};

Groups groups_of(const OptionValues& options) {
  const OptionReader read(kMlqOptions, options);
  return {.conv = read.count("conv_groups"), .linear = read.count("linear_groups")};
}

MlqWeights& mlq(const IncrementalLayer& layer) {
  return dynamic_cast<MlqWeights&>(*layer.quantizer);
}

bool is_linear(const IncrementalLayer& layer) {
  return layer.weights->shape().rank() == 2;
}

/// Of the net with only this layer's boundaries quantized.
double cost_of(const StageStart& start, const IncrementalLayer& layer, const IncrementalWeights::Loss& loss) {
  const Tensor kept = layer.weights->clone();
  layer.quantizer->choose(start.point.backend, *layer.weights, loss);
  layer.quantizer->preview(start.point.backend, *layer.weights);
  const double cost = loss();
  layer.weights->copy_from(kept);
  return cost;
}

/// The costliest of `layers` into group `first`, and so on.
void set_groups(std::vector<std::pair<double, IncrementalLayer>> layers, std::size_t first,
                std::size_t groups) {
  std::stable_sort(layers.begin(), layers.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  for (std::size_t i = 0; i < layers.size(); ++i)
    mlq(layers[i].second).set_group(first + i * groups / layers.size());
}

void divide_layers(const StageStart& start, const Groups& groups) {
  const IncrementalWeights::Loss loss = loss_on_subset(start);
  std::vector<std::pair<double, IncrementalLayer>> conv, linear;
  for (const IncrementalLayer& layer : incremental_layers(start.point.net))
    (groups.linear > 0 && is_linear(layer) ? linear : conv).emplace_back(cost_of(start, layer, loss), layer);
  set_groups(std::move(conv), 0, groups.conv);
  set_groups(std::move(linear), groups.conv, groups.linear);
}

nlohmann::ordered_json quantize_group(const StageStart& start, std::size_t group) {
  std::vector<IncrementalLayer> members = incremental_layers(start.point.net);
  std::erase_if(members, [&](const IncrementalLayer& layer) { return mlq(layer).group() != group; });
  if (members.empty())
    start.say("group " + std::to_string(group + 1) +
              " has no layers, this stage only trains: ask for fewer conv_groups or linear_groups");
  quantize_next_part(start, members, {});
  nlohmann::ordered_json report{{"group", nlohmann::ordered_json::array()}};
  for (const IncrementalLayer& layer : members) report["group"].push_back(layer.name);
  report.update(report_parts(start));
  return report;
}

std::vector<Stage> mlq_stages(const Config& request, const OptionValues& options) {
  const Groups groups = groups_of(options);
  std::vector<Stage> stages;
  for (const auto& [name, what] :
       {std::pair{"boundaries-", "the outer two centres"}, std::pair{"hearts-", "all of the weights"}}) {
    for (std::size_t g = 0; g < groups.count(); ++g) {
      const bool first = stages.empty();
      stages.push_back({.name = name + std::to_string(g + 1),
                        .description = std::string(what) + " of layer group " + std::to_string(g + 1) +
                                       " of " + std::to_string(groups.count()) + " are quantized",
                        .change = restart_rate,
                        .prepare = [groups, first, g](const StageStart& start) {
                          if (first) divide_layers(start, groups);
                          return quantize_group(start, g);
                        }});
    }
  }
  calibrate_activations_last(request, options, stages);
  return stages;
}

}  // namespace

constexpr ProcedureInfo kMlqProcedure{
    .method = "mlq",
    .description = "quantizes boundaries, then hearts, of one group of layers after another",
    .defaults = incremental_defaults,
    .options = kMlqOptions,
    .go_on = give_bits_to_activations,
    .stages = mlq_stages,
    .lr_divisor = kIncrementalLrDivisor,
    .shared = kIncrementalShared};

}  // namespace bitplane::train
