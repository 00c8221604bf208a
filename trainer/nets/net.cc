// SPDX-License-Identifier: Apache-2.0
#include "trainer/nets/net.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "engine/data/nearest_name.h"
#include "trainer/nets/alexnet.h"
#include "trainer/nets/cnn_small.h"
#include "trainer/nets/densenet.h"
#include "trainer/nets/googlenet.h"
#include "trainer/nets/light_cnn.h"
#include "trainer/nets/net_file.h"
#include "trainer/nets/quantizer_inputs.h"
#include "trainer/nets/resnet_cifar.h"
#include "trainer/nets/resnet_imagenet.h"
#include "trainer/nets/vgg.h"

namespace bitplane::train {
namespace {

constexpr PictureShape kFashion{28, 28, 1}, kCifar{32, 32, 3}, kImageNet{224, 224, 3}, kAlexNet{227, 227, 3};

constexpr auto kNets = std::to_array<NetInfo>({
    {.name = "cnn-small",
     .description = "5 convolutions of 16 to 128 channels, batch norm, global average, 1 linear layer",
     .input = kFashion,
     .classes = 10,
     .min_size = 4,
     .build = build_cnn_small},
    {.name = "light-cnn",
     .description = "Caffe's cifar10_quick: 3 convolutions of 5x5, 2 linear layers, no batch norm",
     .input = kCifar,
     .classes = 10,
     .min_size = 12,
     .build = build_light_cnn},
    {.name = "light-cnn-full",
     .description = "Caffe's cifar10_full: the same convolutions with local response norms, 1 linear layer",
     .input = kCifar,
     .classes = 10,
     .min_size = 12,
     .build = build_light_cnn_full},
    {.name = "vgg-small",
     .description = "6 convolutions of 128 to 512 channels, 1 linear layer",
     .input = kCifar,
     .classes = 10,
     .min_size = 8,
     .build = build_vgg_small},
    {.name = "vgg-7",
     .description = "vgg-small with a hidden linear layer of 1024",
     .input = kCifar,
     .classes = 10,
     .min_size = 8,
     .build = build_vgg_7},
    {.name = "vgg-variant",
     .description = "10 convolutions of 96 to 512 channels (HWGQ, LQ-Nets), 3 linear layers",
     .input = kImageNet,
     .classes = 1000,
     .min_size = 32,
     .build = build_vgg_variant},
    {.name = "vgg-16-bn",
     .description = "VGG-16 with batch norm: 13 convolutions, 3 linear layers",
     .input = kImageNet,
     .classes = 1000,
     .min_size = 32,
     .build = build_vgg_16_bn},
    {.name = "vgg-16",
     .description = "VGG-16 without batch norm, with dropout",
     .input = kImageNet,
     .classes = 1000,
     .min_size = 32,
     .build = build_vgg_16},
    {.name = "resnet-20",
     .description =
         "CIFAR ResNet, pre-activation: 9 blocks of 16, 32, 64 channels, shortcuts without parameters",
     .input = kCifar,
     .classes = 10,
     .min_size = 4,
     .build = build_resnet_20},
    {.name = "resnet-20-post",
     .description = "the same in the order conv, batch norm, add, ReLU",
     .input = kCifar,
     .classes = 10,
     .min_size = 4,
     .build = build_resnet_20_post},
    {.name = "resnet-18-cifar",
     .description = "ResNet-18 without the stem's pooling, post-activation, for 32x32 pictures (GDRQ)",
     .input = kCifar,
     .classes = 100,
     .min_size = 8,
     .build = build_resnet_18_cifar},
    {.name = "resnet-18",
     .description = "pre-activation as LQ-Nets wires it, projection shortcuts",
     .input = kImageNet,
     .classes = 1000,
     .min_size = 32,
     .build = build_resnet_18},
    {.name = "resnet-34",
     .description = "pre-activation as LQ-Nets wires it, projection shortcuts",
     .input = kImageNet,
     .classes = 1000,
     .min_size = 32,
     .build = build_resnet_34},
    {.name = "resnet-50",
     .description = "pre-activation bottlenecks, shortcuts without parameters",
     .input = kImageNet,
     .classes = 1000,
     .min_size = 32,
     .build = build_resnet_50},
    {.name = "resnet-18-post",
     .description = "conv, batch norm, add, ReLU; projection shortcuts",
     .input = kImageNet,
     .classes = 1000,
     .min_size = 32,
     .build = build_resnet_18_post},
    {.name = "resnet-34-post",
     .description = "conv, batch norm, add, ReLU; projection shortcuts",
     .input = kImageNet,
     .classes = 1000,
     .min_size = 32,
     .build = build_resnet_34_post},
    {.name = "resnet-50-post",
     .description = "bottlenecks: conv, batch norm, add, ReLU; projection shortcuts",
     .input = kImageNet,
     .classes = 1000,
     .min_size = 32,
     .build = build_resnet_50_post},
    {.name = "alexnet",
     .description = "5 convolutions without groups, batch norm, 3 linear layers (HWGQ, LQ-Nets)",
     .input = kAlexNet,
     .classes = 1000,
     .min_size = 67,
     .build = build_alexnet},
    {.name = "alexnet-bn",
     .description = "alexnet with affine batch norms behind the hidden linear layers too (TSQ, QIL)",
     .input = kAlexNet,
     .classes = 1000,
     .min_size = 67,
     .build = build_alexnet_bn},
    {.name = "alexnet-caffe",
     .description = "the original: groups, local response norms, dropout, no batch norm (SLQ, MLQ)",
     .input = kAlexNet,
     .classes = 1000,
     .min_size = 67,
     .build = build_alexnet_caffe},
    {.name = "googlenet-variant",
     .description = "9 inceptions of three ways, without auxiliary classifiers (HWGQ, LQ-Nets)",
     .input = kImageNet,
     .classes = 1000,
     .min_size = 47,
     .build = build_googlenet_variant},
    {.name = "densenet-121",
     .description = "58 dense layers of growth 32 (LQ-Nets)",
     .input = kImageNet,
     .classes = 1000,
     .min_size = 32,
     .build = build_densenet_121},
});

std::unique_ptr<Module> finished(std::unique_ptr<Module> net) {
  remove_relus_before_signs(*net);
  remove_affine_before_fixed_levels(*net);
  require_norm_before_fixed_levels(*net);
  return net;
}

}  // namespace

std::string to_string(const PictureShape& shape) {
  return std::to_string(shape.height) + "x" + std::to_string(shape.width) + "x" +
         std::to_string(shape.channels);
}

std::size_t scaled_channels(std::size_t channels, double width) noexcept {
  constexpr std::size_t kMultiple = 4;
  if (width == 1.0) return channels;
  const double multiples = static_cast<double>(channels) * width / static_cast<double>(kMultiple);
  return std::max<std::size_t>(1, static_cast<std::size_t>(std::floor(multiples + 0.5))) * kMultiple;
}

std::span<const NetInfo> nets() noexcept {
  return kNets;
}

const NetInfo& find_net(std::string_view name) {
  std::vector<std::string_view> known;
  for (const NetInfo& net : kNets) {
    if (net.name == name) return net;
    known.push_back(net.name);
  }
  throw std::invalid_argument(engine::data::unknown_name_message("net", name, known));
}

std::unique_ptr<Module> build_net(std::string_view name, const NetOptions& options) {
  if (is_net_text(name)) return finished(build_net_text(name, options));
  const NetInfo& net = find_net(name);
  const PictureShape& in = options.input;
  if (std::min(in.height, in.width) < net.min_size || (in.channels != 1 && in.channels != 3)) {
    const std::string size = std::to_string(net.min_size);
    throw std::invalid_argument("net '" + std::string(name) + "' takes pictures of at least " + size + "x" +
                                size + " with 1 or 3 channels; these have " + to_string(in));
  }
  return finished(net.build(options));
}

}  // namespace bitplane::train
