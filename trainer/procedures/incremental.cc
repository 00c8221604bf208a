// SPDX-License-Identifier: Apache-2.0
#include "trainer/procedures/incremental.h"

#include <algorithm>
#include <map>
#include <memory>
#include <stdexcept>
#include <utility>

#include "engine/cli/shared/number_text.h"
#include "trainer/data/batch.h"
#include "trainer/ops/loss.h"
#include "trainer/procedures/carry_state.h"
#include "trainer/run/net_state.h"

namespace bitplane::train {
namespace {

constexpr std::size_t kSubset = 2048, kSubsetBatch = 256;

/// What a batch makes of a tensor that the net before did not have.
struct CalibratedTensor {
  Tensor* tensor;
  Tensor fresh, calibrated;
};

/// The first pictures that training will see go through the net as in a step, and everything is put back.
std::vector<CalibratedTensor> calibrate(const StageStart& start) {
  const StartPoint& point = start.point;
  const std::map<std::string, Tensor*> known = tensors_of(start.before), state = tensors_of(point.net);
  const auto is_fresh = [&](const auto& named) {  // as carry_state() sees it
    const auto found = known.find(named.first);
    return found == known.end() || found->second->shape() != named.second->shape();
  };
  if (std::ranges::none_of(state, is_fresh)) return {};
  std::vector<Tensor> kept;
  kept.reserve(state.size());
  for (const auto& [name, tensor] : state) kept.push_back(tensor->clone());
  std::vector<std::uint32_t> order = epoch_order(point.config.seed, 0, point.data.train.count);
  order.resize(std::min<std::size_t>(order.size(), point.config.batch));
  const Context ctx{.backend = point.backend,
                    .mode = Mode::Train,
                    .grad = GradMode::Off,
                    .seed = point.config.seed,
                    .step = 0};
  const Batch batch = make_batch(point.data.train, point.task.preprocessing, order);
  static_cast<void>(point.net.forward(ctx, Variable(batch.pictures)));
  std::vector<CalibratedTensor> found;
  auto fresh = kept.begin();
  for (const auto& named : state) {
    Tensor* tensor = named.second;
    const bool moved = !std::ranges::equal(tensor->values(), fresh->values());
    if (moved && is_fresh(named))
      found.push_back({.tensor = tensor, .fresh = *fresh, .calibrated = tensor->clone()});
    tensor->copy_from(*fresh++);
  }
  return found;
}

double mean_loss(const StageStart& start) {
  const StartPoint& point = start.point;
  const Context ctx{.backend = point.backend,
                    .mode = Mode::Eval,
                    .grad = GradMode::Off,
                    .seed = point.config.seed,
                    .step = 0};
  double sum = 0, count = 0;
  for_each_subset_batch(start, [&](std::span<const std::uint32_t> pictures) {
    const Batch batch = make_batch(point.data.train, point.task.preprocessing, pictures);
    const Variable logits = point.net.forward(ctx, Variable(batch.pictures));
    const Variable loss = softmax_cross_entropy(ctx, logits, batch.labels);
    sum += static_cast<double>(loss.value().values()[0]) * static_cast<double>(pictures.size());
    count += static_cast<double>(pictures.size());
  });
  return sum / count;
}

}  // namespace

std::vector<IncrementalLayer> incremental_layers(Module& net) {
  std::vector<IncrementalLayer> found;
  for (const QuantizedLayer& layer : quantized_layers(net)) {
    if (auto* quantizer = dynamic_cast<IncrementalWeights*>(layer.quantizer))
      found.push_back({.name = layer.name, .weights = layer.weights, .quantizer = quantizer});
  }
  if (found.empty())
    throw std::invalid_argument("the net has no layer to quantize part by part: give --option layers=all");
  return found;
}

void for_each_subset_batch(const StageStart& start,
                           const std::function<void(std::span<const std::uint32_t>)>& use) {
  std::vector<std::uint32_t> order = epoch_order(start.seed, 0, start.point.data.train.count);
  order.resize(std::min(order.size(), kSubset));
  const std::span<const std::uint32_t> pictures(order);
  for (std::size_t first = 0; first < pictures.size(); first += kSubsetBatch)
    use(pictures.subspan(first, std::min(kSubsetBatch, pictures.size() - first)));
}

IncrementalWeights::Loss loss_on_subset(const StageStart& start) {
  return [start, activations = calibrate(start)] {
    for (const CalibratedTensor& t : activations) t.tensor->copy_from(t.calibrated);
    const double loss = mean_loss(start);
    for (const CalibratedTensor& t : activations) t.tensor->copy_from(t.fresh);
    return loss;
  };
}

void quantize_next_part(const StageStart& start, const std::vector<IncrementalLayer>& layers,
                        const IncrementalWeights::Loss& loss) {
  Backend& backend = start.point.backend;
  for (const IncrementalLayer& layer : layers) layer.quantizer->choose(backend, *layer.weights, loss);
  for (const IncrementalLayer& layer : layers) layer.quantizer->freeze(backend, *layer.weights);
}

nlohmann::ordered_json report_parts(const StageStart& start) {
  nlohmann::ordered_json report;
  double frozen = 0, all = 0;
  for (const IncrementalLayer& layer : incremental_layers(start.point.net)) {
    const double share = layer.quantizer->frozen_share();
    const auto size = static_cast<double>(layer.weights->size());
    frozen += share * size;
    all += size;
    const std::span<const float> levels = layer.quantizer->levels();
    report["layers"].push_back({{"name", layer.name},
                                {"parts", layer.quantizer->parts_done()},
                                {"frozen", share},
                                {"levels", std::vector<float>(levels.begin(), levels.end())}});
  }
  report["frozen"] = frozen / all;
  start.say(cli::percent(frozen / all) + " of the weights are quantized and stay; the others are trained");
  return report;
}

void restart_rate(Config& config) {
  constexpr std::uint64_t kNumerator = 3, kDenominator = 5;
  if (config.schedule != "step" || !config.drops.empty() || config.epochs == 0) return;
  const std::uint64_t drop = (config.epochs * kNumerator + kDenominator / 2) / kDenominator;
  if (drop < config.epochs) {
    config.drops = std::to_string(drop);
  } else {
    config.schedule = "constant";
  }
}

void incremental_defaults(Config& config) {
  config.schedule = "step";
  config.drop_factor = 0.1;
  config.warmup = 0;
  config.epochs = 8;
}

}  // namespace bitplane::train
