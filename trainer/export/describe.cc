// SPDX-License-Identifier: Apache-2.0
#include "trainer/export/describe.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <stdexcept>
#include <variant>

#include "trainer/nn/layers.h"

namespace bitplane::train {
namespace {

std::vector<float> copy_of(const Tensor* tensor) {
  if (tensor == nullptr) return {};
  return {tensor->values().begin(), tensor->values().end()};
}

/// What the layer's input is: floats, codes, or the picture (both floats and bytes).
enum class Input : std::uint8_t { Float, Codes, Picture };

engine::Weights describe_weights(const WeightQuantizer* quantizer, const Tensor& weight, Input input) {
  if (quantizer == nullptr) {
    if (input == Input::Codes) throw std::invalid_argument("float weights on quantized activations");
    return engine::FloatWeights{.values = copy_of(&weight)};
  }
  WeightExport exported = quantizer->export_weights(weight);
  if (quantizer->reads_picture() && input != Input::Picture)
    throw std::invalid_argument(
        "an 8-bit first layer reads the picture itself; this one reads another layer");
  if (input != Input::Codes && !quantizer->reads_picture())
    return engine::FloatWeights{.values = dequantize(exported)};
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

bool joins_values(const LayerRef& layer) {
  return std::holds_alternative<const Add*>(layer) || std::holds_alternative<const Concat*>(layer);
}

bool holds_codes(const LayerRef& layer, Input input) {
  return std::holds_alternative<const Quantize*>(layer) ||
         (std::holds_alternative<const Flatten*>(layer) && input == Input::Codes);
}

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
  spec.output = graph.output;
  std::set<std::string> codes;
  for (const LayerNode& node : graph.nodes) {
    const bool any_codes = std::any_of(node.inputs.begin(), node.inputs.end(),
                                       [&](const std::string& name) { return codes.contains(name); });
    if (any_codes && joins_values(node.layer)) {
      throw NotInFormat("sum or concatenation of quantized values", node.name);
    }
    const bool picture = node.inputs.size() == 1 && node.inputs[0] == LayerGraph::kInput;
    const Input input = any_codes ? Input::Codes : picture ? Input::Picture : Input::Float;
    if (holds_codes(node.layer, input)) codes.insert(node.name);
    try {
      spec.nodes.push_back(
          {.name = node.name,
           .inputs = node.inputs,
           .op = std::visit([&](const auto* layer) { return describe(layer, input); }, node.layer)});
    } catch (const NotInFormat& missing) {
      throw NotInFormat(missing.what_is_missing(), node.name);
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument("layer '" + node.name + "': " + error.what());
    }
  }
  return spec;
}

engine::Planes pack_planes(const WeightExport& weights) {
  const std::size_t row_words = (weights.k + 63) / 64;
  engine::Planes planes{.planes = weights.planes, .rows = weights.out_channels, .k = weights.k, .words = {}};
  planes.words.assign(weights.planes * weights.out_channels * row_words, 0);
  for (std::size_t o = 0; o < weights.out_channels; ++o) {
    for (std::size_t t = 0; t < weights.k; ++t) {
      const std::uint64_t code = weights.codes[o * weights.k + t];
      for (std::size_t i = 0; i < weights.planes; ++i) {
        planes.words[(i * weights.out_channels + o) * row_words + t / 64] |= ((code >> i) & 1U) << (t % 64);
      }
    }
  }
  return planes;
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

std::vector<float> dequantize(const WeightExport& weights) {
  std::vector<float> values(weights.codes.size());
  const auto* learned = std::get_if<engine::LearnedBasis>(&weights.basis);
  const auto* uniform = std::get_if<engine::UniformBasis>(&weights.basis);
  const bool bipolar = weights.encoding == engine::PlaneEncoding::Bipolar;
  for (std::size_t o = 0; o < weights.out_channels; ++o) {
    std::vector<float> basis(weights.planes);
    for (std::size_t i = 0; i < weights.planes; ++i) {
      basis[i] = learned != nullptr
                     ? learned->values[i * weights.out_channels + o]
                     : std::ldexp(uniform->scale[uniform->scale.size() == 1 ? 0 : o], static_cast<int>(i));
    }
    if (weights.encoding == engine::PlaneEncoding::TwosComplement) basis.back() = -basis.back();
    for (std::size_t t = 0; t < weights.k; ++t) {
      float value = weights.offset.empty() ? 0.0F : weights.offset[o];
      for (std::size_t i = 0; i < weights.planes; ++i) {
        const bool bit = ((static_cast<unsigned>(weights.codes[o * weights.k + t]) >> i) & 1U) != 0;
        value += bit ? basis[i] : (bipolar ? -basis[i] : 0.0F);
      }
      values[o * weights.k + t] = value;
    }
  }
  return values;
}

}  // namespace bitplane::train
