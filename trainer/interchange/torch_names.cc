// SPDX-License-Identifier: Apache-2.0
#include "trainer/interchange/torch_names.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <optional>

namespace bitplane::train {
namespace {

/// The number behind `prefix`, when `text` is just these two.
std::optional<std::size_t> number_behind(std::string_view text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return std::nullopt;
  text.remove_prefix(prefix.size());
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::string own_name(std::string_view, std::string_view layer) {
  return std::string(layer);
}

/// Behind "stageS.blockB.": the norm behind convolution k is our number k + 1, because number 1 is the one in
/// front of the first convolution in the nets that have it.
std::string resnet_name_in_block(std::string_view layer) {
  if (layer == "shortcut.conv") return "downsample.0";
  if (layer == "shortcut.bn") return "downsample.1";
  if (const auto number = number_behind(layer, "bn")) return "bn" + std::to_string(*number - 1);
  return std::string(layer);
}

std::string resnet_name(std::string_view, std::string_view layer) {
  const auto first = layer.find('.');
  const auto second = first == std::string_view::npos ? first : layer.find('.', first + 1);
  if (second == std::string_view::npos) return std::string(layer);
  const auto stage = number_behind(layer.substr(0, first), "stage");
  const auto block = number_behind(layer.substr(first + 1, second - first - 1), "block");
  if (!stage || !block || *block == 0) return std::string(layer);
  return "layer" + std::to_string(*stage) + "." + std::to_string(*block - 1) + "." +
         resnet_name_in_block(layer.substr(second + 1));
}

constexpr std::size_t kVggConvs = 13;
constexpr std::array<std::size_t, kVggConvs> kPlainFeatures{0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28};
constexpr std::array<std::size_t, kVggConvs> kNormFeatures{0, 3, 7, 10, 14, 17, 20, 24, 27, 30, 34, 37, 40};

/// Our layers count on: conv1 to conv13, fc14 to fc16; "bnN" stands behind convN or fcN.
std::string vgg_name(std::string_view net, std::string_view layer) {
  const auto& features = net == "vgg-16-bn" ? kNormFeatures : kPlainFeatures;
  for (const std::string_view prefix : {"conv", "fc", "bn"}) {
    const auto number = number_behind(layer, prefix);
    if (!number || *number == 0 || *number > kVggConvs + 3) continue;
    const std::size_t behind = prefix == "bn" ? 1 : 0;
    if (*number <= kVggConvs) return "features." + std::to_string(features[*number - 1] + behind);
    return "classifier." + std::to_string(3 * (*number - kVggConvs - 1) + behind);
  }
  return std::string(layer);
}

constexpr std::array kFamilies{
    TorchFamily{"torchvision ResNet",
                "resnet-18-post resnet-34-post resnet-50-post resnet-18-cifar resnet-20-post", resnet_name},
    TorchFamily{"torchvision VGG", "vgg-16 vgg-16-bn", vgg_name},
    TorchFamily{"own", "", own_name},
};

bool holds(std::string_view nets, std::string_view net) {
  while (!nets.empty()) {
    const auto end = std::min(nets.find(' '), nets.size());
    if (nets.substr(0, end) == net) return true;
    nets.remove_prefix(std::min(end + 1, nets.size()));
  }
  return false;
}

}  // namespace

std::span<const TorchFamily> torch_families() noexcept {
  return kFamilies;
}

std::string torch_layer_name(std::string_view net, std::string_view layer) {
  for (const TorchFamily& family : kFamilies) {
    if (family.nets.empty() || holds(family.nets, net)) return family.layer_name(net, layer);
  }
  return std::string(layer);
}

}  // namespace bitplane::train
