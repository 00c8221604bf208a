// SPDX-License-Identifier: Apache-2.0
#include "trainer/procedures/post_training.h"

#include <algorithm>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>

#include "trainer/data/batch.h"
#include "trainer/nn/layers.h"
#include "trainer/procedures/incremental.h"
#include "trainer/run/loaded_run.h"
#include "trainer/run/net_state.h"

namespace bitplane::train {
namespace {

/// The largest value of the input and of each layer's output, by name, in the net before, whose inner
/// activations have no bits.
std::map<std::string, float> largest_outputs(const StageStart& start) {
  const StartPoint& point = start.point;
  const Context ctx{.backend = point.backend,
                    .mode = Mode::Eval,
                    .grad = GradMode::Off,
                    .seed = point.config.seed,
                    .step = 0};
  std::map<std::string, float> largest;
  const auto note = [&](const std::string& name, const Tensor& values) {
    const float now = *std::ranges::max_element(values.values());
    const auto [found, first_batch] = largest.try_emplace(name, now);
    if (!first_batch) found->second = std::max(found->second, now);
  };
  for_each_subset_batch(start, [&](std::span<const std::uint32_t> pictures) {
    const Batch batch = make_batch(point.data.train, point.task.preprocessing, pictures);
    note(LayerGraph::kInput, batch.pictures);
    static_cast<void>(start.before.watch(
        ctx, Variable(batch.pictures), "",
        [&](const std::string& name, const Variable& output) { note(name, output.value()); }));
  });
  return largest;
}

bool all_frozen(Module& net) {
  const std::vector<IncrementalLayer> layers = incremental_layers(net);
  return std::ranges::all_of(
      layers, [](const IncrementalLayer& layer) { return layer.quantizer->frozen_share() == 1.0; });
}

nlohmann::ordered_json set_clip_points(const StageStart& start) {
  if (!all_frozen(start.point.net))
    throw std::invalid_argument(
        "calibrate=only is for a run whose weights are all quantized: --from has "
        "others; calibrate=on quantizes them first");
  const std::map<std::string, float> largest = largest_outputs(start);
  const std::map<std::string, Tensor*> state = tensors_of(start.point.net);
  nlohmann::ordered_json points;
  for (const LayerNode& node : layer_graph(start.point.net).nodes) {
    const auto clip_point = state.find(node.name + ".clip_point");
    // Quantizers of first_last 8 learned their ranges in the parts before, and keep them.
    if (!std::holds_alternative<const Quantize*>(node.layer) || clip_point == state.end()) continue;
    const float point = std::max(0.0F, largest.at(node.inputs.front()));
    clip_point->second->fill(point);
    state.at(node.name + ".started")->fill(1.0F);
    points[node.name] = point;
  }
  return {{"clip_points", points}};
}

}  // namespace

void calibrate_activations_last(const Config& request, const OptionValues& options,
                                std::vector<Stage>& stages) {
  const std::string calibrate = OptionReader({&kCalibrate, 1}, options).choice("calibrate");
  if (calibrate == "off") return;
  const auto kind = request.options.find("activations");
  const std::string* name = kind == request.options.end() ? nullptr : kind->second.name();
  if (request.abits == kFloatBits || name == nullptr || *name != "gdrq")
    throw std::invalid_argument(
        "calibrate gives bits to activations of gdrq: give --abits 8, for example, and "
        "--option activations=gdrq");
  if (calibrate == "only") stages.clear();
  for (Stage& stage : stages) {
    stage.change = [change = std::move(stage.change)](Config& config) {
      if (change) change(config);
      config.abits = kFloatBits;
    };
  }
  stages.push_back({.name = "activations",
                    .description = "activations get their bits, nothing is trained",
                    .change = [](Config& config) { config.epochs = 0; },
                    .prepare = set_clip_points});
}

void give_bits_to_activations(const LoadedRun& from, const Config& request, OptionValues& options) {
  const Config& had = from.folder.config();
  const std::string run = "--from is a run of '" + had.method + "' with " + std::to_string(had.wbits) + "/" +
                          std::to_string(had.abits) + " bits";
  if (had.abits != kFloatBits)
    throw std::invalid_argument(run +
                                ": only float activations get bits behind the last part; start from "
                                "a run of method 'float'");
  if (!all_frozen(*from.net))
    throw std::invalid_argument(run +
                                ", and not all of its weights are quantized: give the procedure's "
                                "folder, or the last of its stages");
  const auto differs = [&](std::string_view name) {
    const auto before = had.options.find(name), now = request.options.find(name);
    return before != had.options.end() && now != request.options.end() && before->second != now->second;
  };
  if (request.wbits != had.wbits || request.first_last != had.first_last ||
      std::ranges::any_of(kIncrementalShared, differs))
    throw std::invalid_argument(run +
                                ", and its weights stay as they are: leave out what it says of them, "
                                "and give --abits and --option activations=gdrq");
  options.insert_or_assign("calibrate", "only");
}

}  // namespace bitplane::train
