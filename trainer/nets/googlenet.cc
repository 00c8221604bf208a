// SPDX-License-Identifier: Apache-2.0
#include "trainer/nets/googlenet.h"

#include <array>
#include <string>
#include <string_view>

#include "trainer/nets/parts.h"

namespace bitplane::train {
namespace {

constexpr PoolOptions kCaffePool{.kernel = 3, .stride = 2, .rounding = engine::PoolRounding::Ceil};

struct InceptionRow {
  std::string_view name;
  std::size_t o1, o3, o5;
  bool pooled;
};
constexpr std::array<InceptionRow, 9> kInceptions{{{"3a", 96, 128, 32, false},
                                                   {"3b", 192, 192, 96, true},
                                                   {"4a", 256, 208, 48, false},
                                                   {"4b", 224, 224, 64, false},
                                                   {"4c", 192, 256, 64, false},
                                                   {"4d", 176, 288, 64, false},
                                                   {"4e", 384, 320, 128, true},
                                                   {"5a", 384, 320, 128, false},
                                                   {"5b", 512, 384, 128, false}}};

Conv2dOptions same_size(std::size_t kernel, std::size_t in, std::size_t out) {
  return {.in_channels = in, .out_channels = out, .kernel = kernel, .pad = kernel / 2};
}

/// C*(1,o) BN R Q C*(kernel,o)
void add_reduced_way(const NetParts& parts, Sequential& way, const Conv2dOptions& conv) {
  const std::size_t reduced =
      parts.conv(way, "reduce", same_size(1, conv.in_channels, conv.out_channels), Place::Inner);
  parts.norm_relu_quantize(way, "", reduced);
  parts.conv(way, "conv", same_size(conv.kernel, reduced, conv.out_channels), Place::Inner);
}

/// Returns the joined channels.
std::size_t add_inception(const NetParts& parts, Sequential& net, const InceptionRow& row, std::size_t in) {
  auto& ways = net.emplace<Branches>("inception" + std::string(row.name));
  const std::size_t o1 = parts.scaled(row.o1), o3 = parts.scaled(row.o3), o5 = parts.scaled(row.o5);
  parts.conv(ways.emplace("way1"), "conv", same_size(1, in, o1), Place::Inner);
  add_reduced_way(parts, ways.emplace("way3"), same_size(3, in, o3));
  add_reduced_way(parts, ways.emplace("way5"), same_size(5, in, o5));
  return o1 + o3 + o5;
}

}  // namespace

std::unique_ptr<Module> build_googlenet_variant(const NetOptions& options) {
  const NetParts parts(options);
  auto net = std::make_unique<Sequential>();
  std::size_t channels = parts.conv(*net, "conv1",
                                    {.in_channels = options.input.channels,
                                     .out_channels = parts.scaled(64),
                                     .kernel = 7,
                                     .stride = 2,
                                     .pad = 3},
                                    Place::First);
  net->emplace<MaxPool>("pool1", kCaffePool);
  parts.norm_relu_quantize(*net, "1", channels);
  channels = parts.conv(*net, "reduce2", same_size(1, channels, parts.scaled(192)), Place::Inner);
  parts.norm_relu_quantize(*net, "_reduce2", channels);
  channels = parts.conv(*net, "conv2", same_size(3, channels, parts.scaled(192)), Place::Inner);
  net->emplace<MaxPool>("pool2", kCaffePool);
  parts.norm_relu_quantize(*net, "2", channels);
  for (const InceptionRow& row : kInceptions) {
    const std::string name(row.name);
    channels = add_inception(parts, *net, row, channels);
    if (row.pooled) net->emplace<MaxPool>("pool" + name, kCaffePool);
    parts.norm_relu(*net, name, channels);
    if (&row != &kInceptions.back()) parts.quantize(*net, "quant" + name);
  }
  net->emplace<GlobalAveragePool>("gap");
  parts.linear(*net, "fc", {.in_features = channels, .out_features = options.classes}, Place::Last);
  return net;
}

}  // namespace bitplane::train
