// SPDX-License-Identifier: Apache-2.0
#include "trainer/export/describe.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <stdexcept>
#include <variant>

#include "trainer/nn/layers.h"
#include "trainer/quantizers/weight_levels.h"

namespace bitplane::train {
namespace {

std::vector<float> copy_of(const Tensor* tensor) {
  if (tensor == nullptr) return {};
  return {tensor->values().begin(), tensor->values().end()};
}

/// What the layer's input is: floats, codes, or the picture (both floats and bytes).
enum class Input : std::uint8_t { Float, Codes, Picture };

std::size_t stored_bytes(const engine::CodebookWeights& weights) {
  return weights.indices.words.size() * sizeof(std::uint64_t) + weights.levels.size() * sizeof(float);
}

/// For float activations: a codebook, or the floats where a table of levels is no smaller than they are.
engine::Weights describe_values(const WeightQuantizer& quantizer, const Tensor& weight) {
  const std::optional<CodebookExport> codebook = quantizer.export_codebook(weight);
  if (!codebook) return engine::FloatWeights{.values = dequantize(quantizer.export_weights(weight))};
  engine::CodebookWeights weights{
      .indices = pack_planes(*codebook), .scope = codebook->scope, .levels = codebook->levels};
  if (stored_bytes(weights) < weight.size() * sizeof(float)) return weights;
  return engine::FloatWeights{.values = dequantize(*codebook)};
}

engine::Weights describe_weights(const WeightQuantizer* quantizer, const Tensor& weight, Input input) {
  if (quantizer == nullptr) {
    return engine::FloatWeights{.values = copy_of(&weight)};
  }
  if (quantizer->reads_picture() && input != Input::Picture)
    throw std::invalid_argument(
        "an 8-bit first layer reads the picture itself; this one reads another layer");
  if (input != Input::Codes && !quantizer->reads_picture()) return describe_values(*quantizer, weight);
  WeightExport exported = quantizer->export_weights(weight);
  canonicalize(exported);
  return engine::PlaneWeights{.planes = pack_planes(exported),
                              .encoding = exported.encoding,
                              .basis = std::move(exported.basis),
                              .offset = std::move(exported.offset)};
}

engine::Operation describe(const Conv2d* layer, Input input) {
  const Conv2dOptions& conv = layer->options();
  return engine::Conv2d{.out_channels = conv.out_channels,
                        .kernel_h = conv.kernel,
                        .kernel_w = conv.kernel,
                        .stride_h = conv.stride,
                        .stride_w = conv.stride,
                        .pad_h = conv.pad,
                        .pad_w = conv.pad,
                        .dilation_h = conv.dilation,
                        .dilation_w = conv.dilation,
                        .groups = conv.groups,
                        .weights = describe_weights(layer->quantizer(), layer->weight(), input),
                        .bias = copy_of(layer->bias())};
}

engine::Operation describe(const Linear* layer, Input input) {
  return engine::Linear{.out_features = layer->options().out_features,
                        .weights = describe_weights(layer->quantizer(), layer->weight(), input),
                        .bias = copy_of(layer->bias())};
}

engine::Operation describe(const BatchNorm* layer, Input /*input*/) {
  return engine::BatchNorm{.mean = copy_of(&layer->running_mean()),
                           .var = copy_of(&layer->running_var()),
                           .gamma = copy_of(layer->gamma()),
                           .beta = copy_of(layer->beta()),
                           .epsilon = layer->options().epsilon};
}

engine::Operation describe(const MaxPool* layer, Input /*input*/) {
  const PoolOptions& pool = layer->options();
  return engine::MaxPool{.kernel_h = pool.kernel,
                         .kernel_w = pool.kernel,
                         .stride_h = pool.stride,
                         .stride_w = pool.stride,
                         .pad_h = pool.pad,
                         .pad_w = pool.pad,
                         .rounding = pool.rounding};
}

engine::Operation describe(const AveragePool* layer, Input /*input*/) {
  const PoolOptions& pool = layer->options();
  const bool padded = pool.padding == PoolPadding::Included;
  return engine::AveragePool{
      .kernel_h = pool.kernel,
      .kernel_w = pool.kernel,
      .stride_h = pool.stride,
      .stride_w = pool.stride,
      .pad_h = pool.pad,
      .pad_w = pool.pad,
      .rounding = pool.rounding,
      .divisor = padded ? engine::AverageDivisor::Padded : engine::AverageDivisor::Inside};
}
engine::Operation describe(const ZeroChannelShortcut* layer, Input /*input*/) {
  const ShortcutOptions& shortcut = layer->options();
  const bool average = shortcut.sampling == ShortcutSampling::Average;
  return engine::ZeroChannelShortcut{
      .stride_h = shortcut.stride,
      .stride_w = shortcut.stride,
      .front = shortcut.front,
      .back = shortcut.back,
      .sampling = average ? engine::ShortcutSampling::Average : engine::ShortcutSampling::Subsample};
}
engine::Operation describe(const Dropout* /*layer*/, Input /*input*/) {
  throw std::logic_error("dropout is left out of a description");
}
engine::Operation describe(const LocalResponseNorm* layer, Input /*input*/) {
  const ResponseNormOptions& norm = layer->options();
  const bool across = norm.window == ResponseWindow::AcrossChannels;
  return engine::LocalResponseNorm{
      .scope = across ? engine::NormScope::AcrossChannels : engine::NormScope::WithinChannel,
      .size = norm.size,
      .alpha = static_cast<float>(norm.alpha),
      .beta = static_cast<float>(norm.beta),
      .k = static_cast<float>(norm.k)};
}
engine::Operation describe(const Add* /*layer*/, Input /*input*/) {
  return engine::Add{};
}
engine::Operation describe(const Concat* /*layer*/, Input /*input*/) {
  return engine::Concat{};
}
engine::Operation describe(const Relu* /*layer*/, Input /*input*/) {
  return engine::Relu{};
}
engine::Operation describe(const GlobalAveragePool* /*layer*/, Input /*input*/) {
  return engine::GlobalAveragePool{};
}
engine::Operation describe(const Flatten* /*layer*/, Input /*input*/) {
  return engine::Flatten{};
}
engine::Operation describe(const Quantize* layer, Input /*input*/) {
  return canonicalized(layer->quantizer().export_spec());
}

/// Layers that work on codes: convolutions whose weights are quantized too, and flattening.
bool takes_codes(const LayerRef& layer) {
  if (const auto* const* conv = std::get_if<const Conv2d*>(&layer)) return (*conv)->quantizer() != nullptr;
  if (const auto* const* linear = std::get_if<const Linear*>(&layer))
    return (*linear)->quantizer() != nullptr;
  return std::holds_alternative<const Flatten*>(layer);
}

bool holds_codes(const LayerRef& layer, Input input) {
  return std::holds_alternative<const Quantize*>(layer) ||
         (std::holds_alternative<const Flatten*>(layer) && input == Input::Codes);
}

/// The nodes whose output is codes, and the dequantize nodes behind them, made when they are first asked for.
class Codes {
 public:
  explicit Codes(engine::ModelSpec& spec) : spec_(spec) {}

  void add(const std::string& node) { values_.emplace(node, std::string()); }
  [[nodiscard]] bool contains(const std::string& node) const { return values_.contains(node); }
  /// The node that holds floats: `node`, or the dequantize node behind it.
  std::string value_of(const std::string& node) {
    const auto found = values_.find(node);
    if (found == values_.end()) return node;
    if (found->second.empty()) {
      found->second = node + ".values";
      spec_.nodes.push_back({.name = found->second, .inputs = {node}, .op = engine::Dequantize{}});
    }
    return found->second;
  }

 private:
  engine::ModelSpec& spec_;
  std::map<std::string, std::string> values_;
};

/// Scales of a one-plane learned basis; -0 becomes +0.
engine::UniformBasis uniform_from(const std::vector<float>& values) {
  engine::UniformBasis basis;
  for (const float value : values) basis.scale.push_back(std::fabs(value));
  return basis;
}

/// Dropout hands its input on when it is not training: whoever reads it reads what is in front of it.
LayerGraph without_dropout(LayerGraph graph) {
  std::map<std::string, std::string> instead;
  const auto resolve = [&](std::string& name) {
    if (const auto found = instead.find(name); found != instead.end()) name = found->second;
  };
  std::vector<LayerNode> kept;
  for (LayerNode& node : graph.nodes) {
    for (std::string& input : node.inputs) resolve(input);
    if (std::holds_alternative<const Dropout*>(node.layer)) {
      instead[node.name] = node.inputs[0];
    } else {
      kept.push_back(std::move(node));
    }
  }
  resolve(graph.output);
  graph.nodes = std::move(kept);
  return graph;
}

}  // namespace

NotInFormat::NotInFormat(const std::string& missing, const std::string& layer)
    : std::invalid_argument("layer '" + layer + "': the model format has no " + missing), missing_(missing) {}

engine::ModelSpec describe_net(const LayerGraph& trained, const Task& task) {
  if (!task.preprocessing.mean_picture.empty())
    throw NotInFormat("mean picture, only means of channels (--normalize channel)", "input");
  const LayerGraph graph = without_dropout(trained);
  engine::ModelSpec spec;
  spec.input = {.height = task.input.height,
                .width = task.input.width,
                .channels = task.input.channels,
                .mean = task.preprocessing.mean,
                .std = task.preprocessing.std};
  spec.labels = task.labels;
  Codes codes(spec);
  for (const LayerNode& node : graph.nodes) {
    std::vector<std::string> inputs = node.inputs;
    if (!takes_codes(node.layer)) {
      for (std::string& name : inputs) name = codes.value_of(name);
    }
    const bool picture = inputs.size() == 1 && inputs[0] == LayerGraph::kInput;
    const Input input = codes.contains(inputs.front()) ? Input::Codes
                        : picture                      ? Input::Picture
                                                       : Input::Float;
    if (holds_codes(node.layer, input)) codes.add(node.name);
    try {
      spec.nodes.push_back(
          {.name = node.name,
           .inputs = std::move(inputs),
           .op = std::visit([&](const auto* layer) { return describe(layer, input); }, node.layer)});
    } catch (const NotInFormat& missing) {
      throw NotInFormat(missing.what_is_missing(), node.name);
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument("layer '" + node.name + "': " + error.what());
    }
  }
  spec.output = codes.value_of(graph.output);
  return spec;
}

engine::Planes pack_planes(const WeightExport& weights) {
  const std::size_t row_words = (weights.k + 63) / 64;
  std::vector<std::uint64_t> words(weights.planes * weights.out_channels * row_words, 0);
  for (std::size_t o = 0; o < weights.out_channels; ++o) {
    for (std::size_t t = 0; t < weights.k; ++t) {
      const std::uint64_t code = weights.codes[o * weights.k + t];
      for (std::size_t i = 0; i < weights.planes; ++i) {
        words[(i * weights.out_channels + o) * row_words + t / 64] |= ((code >> i) & 1U) << (t % 64);
      }
    }
  }
  return {.planes = weights.planes, .rows = weights.out_channels, .k = weights.k, .words = std::move(words)};
}

void canonicalize(WeightExport& weights) {
  const auto* learned = std::get_if<engine::LearnedBasis>(&weights.basis);
  if (learned == nullptr || weights.planes != 1) return;
  const bool bipolar = weights.encoding == engine::PlaneEncoding::Bipolar;
  if (!bipolar &&
      std::any_of(learned->values.begin(), learned->values.end(), [](float v) { return v < 0.0F; }))
    return;
  for (std::size_t o = 0; o < weights.out_channels; ++o) {
    if (!(learned->values[o] < 0.0F)) continue;
    for (std::size_t t = 0; t < weights.k; ++t) weights.codes[o * weights.k + t] ^= 1U;
  }
  weights.basis = uniform_from(learned->values);
}

engine::Quantize canonicalized(engine::Quantize quantize) {
  const auto* learned = std::get_if<engine::LearnedBasis>(&quantize.basis);
  if (learned == nullptr || quantize.bits != 1) return quantize;
  if (learned->values[0] < 0.0F) {
    if (quantize.encoding != engine::PlaneEncoding::Bipolar) return quantize;
    for (std::uint8_t& code : quantize.code_of_rank) code ^= 1U;
  }
  quantize.basis = uniform_from(learned->values);
  return quantize;
}

engine::Planes pack_planes(const CodebookExport& weights) {
  const std::size_t count =
      weights.levels.size() / (weights.scope == engine::CodebookScope::Channel ? weights.out_channels : 1);
  const auto bits = static_cast<std::size_t>(std::bit_width(count - 1));
  return pack_planes({.planes = std::max<std::size_t>(bits, 1),
                      .out_channels = weights.out_channels,
                      .k = weights.k,
                      .codes = {weights.indices.begin(), weights.indices.end()}});
}

}  // namespace bitplane::train
