// SPDX-License-Identifier: Apache-2.0
#include "trainer/nets/net.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <vector>

#include "engine/data/nearest_name.h"
#include "trainer/nets/cnn_small.h"

namespace bitplane::train {
namespace {

constexpr std::array<PictureShape, 2> kCnnSmallInputs{{{28, 28, 1}, {32, 32, 3}}};

constexpr std::array<NetInfo, 1> kNets{{
    {.name = "cnn-small",
     .description = "5 convolutions of 16 to 128 channels, batch norm, global average, 1 linear layer",
     .inputs = kCnnSmallInputs,
     .build = build_cnn_small},
}};

}  // namespace

std::string to_string(const PictureShape& shape) {
  return std::to_string(shape.height) + "x" + std::to_string(shape.width) + "x" +
         std::to_string(shape.channels);
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
  if (std::find(net.inputs.begin(), net.inputs.end(), options.input) == net.inputs.end()) {
    std::string takes;
    for (const PictureShape& shape : net.inputs) takes += (takes.empty() ? "" : " or ") + to_string(shape);
    throw std::invalid_argument("net '" + std::string(name) + "' takes pictures of " + takes +
                                "; these have " + to_string(options.input));
  }
  return net.build(options);
}

}  // namespace bitplane::train
