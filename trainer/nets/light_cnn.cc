// SPDX-License-Identifier: Apache-2.0
#include "trainer/nets/light_cnn.h"

#include <array>
#include <string>

#include "trainer/nets/parts.h"

namespace bitplane::train {
namespace {

constexpr PoolOptions kCaffePool{.kernel = 3, .stride = 2, .rounding = engine::PoolRounding::Ceil};
constexpr float kBiasRate = 2.0F;
constexpr ResponseNormOptions kResponseNorm{
    .size = 3, .alpha = 5e-5, .beta = 0.75, .window = ResponseWindow::WithinChannel};

struct LightConv {
  std::size_t channels;
  float deviation;
};
constexpr std::array<LightConv, 3> kConvs{{{32, 1e-4F}, {32, 0.01F}, {64, 0.01F}}};

enum class Kind : std::uint8_t { Quick, Full };

/// The convolutions, up to "flatten".
std::unique_ptr<Sequential> light_convs(const NetParts& parts, Kind kind) {
  auto net = std::make_unique<Sequential>();
  std::size_t channels = parts.options().input.channels;
  for (std::size_t i = 0; i < kConvs.size(); ++i) {
    const std::string number = std::to_string(i + 1);
    channels = parts.conv(*net, "conv" + number,
                          {.in_channels = channels,
                           .out_channels = parts.scaled(kConvs[i].channels),
                           .kernel = 5,
                           .pad = 2,
                           .bias = Bias::Learned,
                           .start = {.deviation = kConvs[i].deviation, .bias_rate = kBiasRate}},
                          i == 0 ? Place::First : Place::Inner);
    if (i == 0) net->emplace<MaxPool>("pool" + number, kCaffePool);
    net->emplace<Relu>("relu" + number);
    if (i > 0) net->emplace<AveragePool>("pool" + number, kCaffePool);
    const bool last = i + 1 == kConvs.size();
    if (kind == Kind::Full && !last) net->emplace<LocalResponseNorm>("norm" + number, kResponseNorm);
    if (kind == Kind::Quick || !last) parts.quantize(*net, "quant" + number);
  }
  net->emplace<Flatten>("flatten");
  return net;
}

}  // namespace

std::unique_ptr<Module> build_light_cnn(const NetOptions& options) {
  constexpr std::size_t kHidden = 64;
  const NetParts parts(options);
  auto net = light_convs(parts, Kind::Quick);
  const WeightStart start{.deviation = 0.1F, .bias_rate = kBiasRate};
  const std::size_t hidden = parts.linear(*net, "fc1",
                                          {.in_features = output_size(*net, options.input),
                                           .out_features = parts.scaled(kHidden),
                                           .start = start},
                                          Place::Inner);
  parts.linear(*net, "fc2", {.in_features = hidden, .out_features = options.classes, .start = start},
               Place::LastSigned);
  return net;
}

std::unique_ptr<Module> build_light_cnn_full(const NetOptions& options) {
  const NetParts parts(options);
  auto net = light_convs(parts, Kind::Full);
  parts.linear(*net, "fc1",
               {.in_features = output_size(*net, options.input),
                .out_features = options.classes,
                .start = {.deviation = 0.01F, .bias_rate = kBiasRate}},
               Place::Last);
  return net;
}

}  // namespace bitplane::train
