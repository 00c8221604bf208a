// SPDX-License-Identifier: Apache-2.0
//
// How layers of our nets are called in a PyTorch file. kFamilies (torch_names.cc) is the one table:
//
//   torchvision's ResNets   resnet-18-post, -34-post, -50-post, resnet-18-cifar, resnet-20-post:
//                           stage2.block1.conv1 -> layer2.0.conv1, shortcut.conv -> downsample.0, ...
//   torchvision's VGGs      vgg-16: features.N, classifier.N. vgg-16-bn: the same; its batch norms behind the
//                           linear layers, which torchvision's net lacks, are classifier.1 and classifier.4
//   our own                 all others, which have no equal in torchvision: a layer goes by its path in the
//   net
//
// Behind the layer's name stand PyTorch's: weight, bias, running_mean, running_var, num_batches_tracked
// (gamma and beta are weight and bias). Values that belong to quantizers are not part of such a file.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace bitplane::train {

struct TorchFamily {
  std::string_view name;
  std::string_view nets;  ///< separated by spaces; "" all others
  std::string (*layer_name)(std::string_view net, std::string_view layer);
};
[[nodiscard]] std::span<const TorchFamily> torch_families() noexcept;

/// "layer2.0.downsample.0" of ("resnet-18-post", "stage2.block1.shortcut.conv").
[[nodiscard]] std::string torch_layer_name(std::string_view net, std::string_view layer);

}  // namespace bitplane::train
