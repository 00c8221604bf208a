// SPDX-License-Identifier: Apache-2.0
#include "trainer/nets/net.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "engine/data/nearest_name.h"
#include "trainer/nets/cnn_small.h"
#include "trainer/nets/resnet_cifar.h"

namespace bitplane::train {
namespace {

constexpr PictureShape kFashion{28, 28, 1}, kCifar{32, 32, 3};

constexpr std::array kNets = std::to_array<NetInfo>({
    {.name = "cnn-small",
     .description = "5 convolutions of 16 to 128 channels, batch norm, global average, 1 linear layer",
     .input = kFashion,
     .min_size = 4,
     .build = build_cnn_small},
    {.name = "resnet-20",
     .description =
         "CIFAR ResNet, pre-activation: 9 blocks of 16, 32, 64 channels, shortcuts without parameters",
     .input = kCifar,
     .min_size = 4,
     .build = build_resnet_20},
});

}  // namespace

std::string to_string(const PictureShape& shape) {
  return std::to_string(shape.height) + "x" + std::to_string(shape.width) + "x" +
         std::to_string(shape.channels);
}

std::size_t scaled_channels(std::size_t channels, double width) noexcept {
  constexpr std::size_t kMultiple = 4;
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
  const NetInfo& net = find_net(name);
  const PictureShape& in = options.input;
  if (std::min(in.height, in.width) < net.min_size || (in.channels != 1 && in.channels != 3)) {
    const std::string size = std::to_string(net.min_size);
    throw std::invalid_argument("net '" + std::string(name) + "' takes pictures of at least " + size + "x" +
                                size + " with 1 or 3 channels; these have " + to_string(in));
  }
  return net.build(options);
}

}  // namespace bitplane::train
