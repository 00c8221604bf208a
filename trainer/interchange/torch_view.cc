// SPDX-License-Identifier: Apache-2.0
#include "trainer/interchange/torch_view.h"

#include <array>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <utility>
#include <variant>

#include "trainer/interchange/torch_names.h"
#include "trainer/nn/layers.h"

namespace bitplane::train {
namespace {

/// The layer graph, looked up by name.
class Graph {
 public:
  Graph(const Module& net, std::size_t picture_channels)
      : picture_channels_(picture_channels), graph_(layer_graph(net)) {
    for (const LayerNode& node : graph_.nodes) {
      by_name_[node.name] = &node;
      for (const std::string& input : node.inputs) ++readers_[input];
    }
  }

  [[nodiscard]] const std::vector<LayerNode>& nodes() const noexcept { return graph_.nodes; }
  [[nodiscard]] const LayerNode* find(const std::string& name) const {
    const auto it = by_name_.find(name);
    return it == by_name_.end() ? nullptr : it->second;
  }
  [[nodiscard]] const LayerNode* input_of(const LayerNode& node) const {
    return node.inputs.size() == 1 ? find(node.inputs[0]) : nullptr;
  }

  /// Channels of the picture that reaches the linear layer through a Flatten; nothing when none does.
  [[nodiscard]] std::optional<std::size_t> flattened_channels(const LayerNode& linear) const {
    return flattened(linear.inputs.front(), linear.name);
  }

  /// The convolution or linear layer whose output reaches the norm, and nothing else, with nothing but
  /// pooling between.
  [[nodiscard]] const LayerNode* product_in_front(const LayerNode& norm) const {
    const LayerNode* node = input_of(norm);
    while (node != nullptr &&
           (std::holds_alternative<const MaxPool*>(node->layer) || averages_of_pixels(*node))) {
      if (readers_.at(node->name) != 1) return nullptr;
      node = input_of(*node);
    }
    return node != nullptr && is_product(*node) && readers_.at(node->name) == 1 ? node : nullptr;
  }

  [[nodiscard]] static bool is_product(const LayerNode& node) {
    return std::holds_alternative<const Conv2d*>(node.layer) ||
           std::holds_alternative<const Linear*>(node.layer);
  }

 private:
  [[nodiscard]] static bool ends_a_picture(const LayerNode& node) {
    return is_product(node) || std::holds_alternative<const GlobalAveragePool*>(node.layer);
  }
  /// A constant passes unchanged. Not where padding counts: it is less at the border then.
  [[nodiscard]] static bool averages_of_pixels(const LayerNode& node) {
    const auto* const* pool = std::get_if<const AveragePool*>(&node.layer);
    return pool != nullptr &&
           ((*pool)->options().pad == 0 || (*pool)->options().padding == PoolPadding::Excluded);
  }
  [[nodiscard]] std::size_t channels_of(const std::string& name) const {
    if (name == LayerGraph::kInput) return picture_channels_;
    const LayerNode& node = *by_name_.at(name);
    if (const auto* conv = std::get_if<const Conv2d*>(&node.layer)) return (*conv)->options().out_channels;
    if (const auto* linear = std::get_if<const Linear*>(&node.layer))
      return (*linear)->options().out_features;
    std::size_t channels = 0;
    if (const auto* shortcut = std::get_if<const ZeroChannelShortcut*>(&node.layer))
      channels = (*shortcut)->options().front + (*shortcut)->options().back;
    const bool joins = std::holds_alternative<const Concat*>(node.layer);
    for (const std::string& input : node.inputs) {
      channels += channels_of(input);
      if (!joins) break;
    }
    return channels;
  }
  [[nodiscard]] std::optional<std::size_t> flattened(const std::string& name,
                                                     const std::string& reader) const {
    if (name == LayerGraph::kInput) return std::nullopt;
    const LayerNode& node = *by_name_.at(name);
    if (std::holds_alternative<const Flatten*>(node.layer)) return channels_of(node.inputs.front());
    if (ends_a_picture(node)) return std::nullopt;
    // What is added must lie alike; what is joined must not be flattened yet.
    const bool joins = std::holds_alternative<const Concat*>(node.layer);
    const std::optional<std::size_t> channels = flattened(node.inputs.front(), reader);
    for (const std::string& input : node.inputs) {
      const std::optional<std::size_t> found = flattened(input, reader);
      if (joins ? !found : found == channels) continue;
      throw std::invalid_argument(
          "layer '" + reader + "' reads flattened parts that are joined or added in '" + node.name +
          "', which have no counterpart in PyTorch's order: put one flatten behind it");
    }
    return joins ? std::nullopt : channels;
  }

  std::size_t picture_channels_;
  LayerGraph graph_;
  std::map<std::string, const LayerNode*> by_name_;
  std::map<std::string, std::size_t> readers_;
};

constexpr std::array kNormNames{std::pair{"gamma", "weight"}, std::pair{"beta", "bias"}};

struct SplitName {
  std::string layer, value;
};
SplitName split(const std::string& name) {
  const auto dot = name.rfind('.');
  return {name.substr(0, dot), name.substr(dot + 1)};
}

std::string torch_value_name(const std::string& value) {
  for (const auto& [ours, theirs] : kNormNames) {
    if (value == ours) return theirs;
  }
  return value;
}

class ViewMaker {
 public:
  ViewMaker(const Module& net, const TorchNet& names)
      : graph_(net, names.picture_channels), net_name_(names.name) {}

  void add(const std::string& name, Tensor& values) {
    const SplitName parts = split(name);
    const LayerNode* node = graph_.find(parts.layer);
    // Of a quantizer: "conv2.quantizer.basis" of weights, "quant1.basis" of activations.
    if (node == nullptr || std::holds_alternative<const Quantize*>(node->layer)) return;
    TorchTensor tensor{.name = torch_layer_name(net_name_, parts.layer) + "." + torch_value_name(parts.value),
                       .values = &values};
    if (parts.value == "weight" && std::holds_alternative<const Conv2d*>(node->layer)) {
      tensor.layout = TorchLayout::Convolution;
    } else if (parts.value == "weight" && std::holds_alternative<const Linear*>(node->layer)) {
      if (const auto channels = graph_.flattened_channels(*node)) {
        tensor.layout = TorchLayout::LinearOnPicture;
        tensor.channels = *channels;
      }
    }
    names_.insert(tensor.name);
    view_.tensors.push_back(std::move(tensor));
    if (parts.value == "running_mean") add_norm(*node, values);
  }

  TorchView take() {
    std::erase_if(view_.folded, [&](const auto& bias) { return names_.contains(bias.name); });
    return std::move(view_);
  }

 private:
  void add_norm(const LayerNode& norm, Tensor& running_mean) {
    const std::string name = torch_layer_name(net_name_, norm.name);
    view_.counters.push_back(name + ".num_batches_tracked");
    if (std::get<const BatchNorm*>(norm.layer)->options().affine == Affine::None) {
      for (const auto& [ours, theirs] : kNormNames) view_.left_out.push_back(name + "." + theirs);
    }
    if (const LayerNode* product = graph_.product_in_front(norm)) {
      view_.folded.push_back({torch_layer_name(net_name_, product->name) + ".bias", &running_mean});
    }
  }

  Graph graph_;
  std::string_view net_name_;
  std::set<std::string> names_;
  TorchView view_;
};

/// Rows of `columns` x `lines` elements, transposed: to[c][l] = from[l][c], row after row.
void transpose_rows(const float* from, float* to, std::size_t rows, std::size_t lines, std::size_t columns) {
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t l = 0; l < lines; ++l) {
      for (std::size_t c = 0; c < columns; ++c) {
        to[(r * columns + c) * lines + l] = from[(r * lines + l) * columns + c];
      }
    }
  }
}

/// A tensor as rows of [pixels][channels], which PyTorch has as [channels][pixels].
struct PixelRows {
  std::size_t rows, pixels, channels;
};
PixelRows pixel_rows(const TorchTensor& tensor) {
  const Shape& s = tensor.values->shape();
  if (tensor.layout == TorchLayout::Convolution) return {s[0], s[1] * s[2], s[3]};
  if (tensor.layout == TorchLayout::LinearOnPicture) return {s[0], s[1] / tensor.channels, tensor.channels};
  return {1, tensor.values->size(), 1};
}

}  // namespace

std::vector<std::size_t> TorchTensor::shape() const {
  const Shape& s = values->shape();
  if (layout == TorchLayout::Convolution) return {s[0], s[3], s[1], s[2]};
  std::vector<std::size_t> dims;
  for (std::size_t i = 0; i < s.rank(); ++i) dims.push_back(s[i]);
  return dims;
}

std::vector<float> TorchTensor::to_torch() const {
  std::vector<float> file(values->size());
  const PixelRows r = pixel_rows(*this);
  transpose_rows(values->data(), file.data(), r.rows, r.pixels, r.channels);
  return file;
}

void TorchTensor::from_torch(const float* file) const {
  const PixelRows r = pixel_rows(*this);
  transpose_rows(file, values->mutable_data(), r.rows, r.channels, r.pixels);
}

TorchView torch_view(Module& net, const TorchNet& names) {
  ViewMaker maker(net, names);
  for (const NamedParameter& p : named_parameters(net))
    maker.add(p.name, p.parameter->variable.mutable_value());
  for (const NamedBuffer& b : named_buffers(net)) maker.add(b.name, *b.buffer);
  return maker.take();
}

}  // namespace bitplane::train
