// SPDX-License-Identifier: Apache-2.0
#include "trainer/nets/alexnet.h"

#include <array>
#include <string>

#include "trainer/nets/parts.h"

namespace bitplane::train {
namespace {

constexpr float kConvDeviation = 0.01F, kHiddenDeviation = 0.005F;
constexpr std::size_t kHidden = 4096;
constexpr PoolOptions kPool{.kernel = 3, .stride = 2};

struct AlexConv {
  std::size_t kernel, channels, stride, pad, caffe_groups;
  float caffe_bias;
  bool pooled;
};
constexpr std::array<AlexConv, 5> kConvs{{{11, 96, 4, 0, 1, 0.0F, true},
                                          {5, 256, 1, 2, 2, 0.1F, true},
                                          {3, 384, 1, 1, 1, 0.0F, false},
                                          {3, 384, 1, 1, 2, 0.1F, false},
                                          {3, 256, 1, 1, 2, 0.1F, true}}};

Conv2dOptions conv_options(const NetParts& parts, const AlexConv& row, std::size_t in) {
  return {.in_channels = in,
          .out_channels = parts.scaled(row.channels),
          .kernel = row.kernel,
          .stride = row.stride,
          .pad = row.pad,
          .start = {.deviation = kConvDeviation}};
}

std::unique_ptr<Module> build_with_norm(const NetOptions& options, Affine of_linear) {
  const NetParts parts(options);
  auto net = std::make_unique<Sequential>();
  std::size_t channels = options.input.channels;
  std::size_t number = 1;
  for (const AlexConv& row : kConvs) {
    const std::string suffix = std::to_string(number);
    channels = parts.conv(*net, "conv" + suffix, conv_options(parts, row, channels),
                          number++ == 1 ? Place::First : Place::Inner);
    if (row.pooled) net->emplace<MaxPool>("pool" + suffix, kPool);
    parts.norm_relu_quantize(*net, suffix, channels);
  }
  net->emplace<Flatten>("flatten");
  channels = output_size(*net, options.input);
  for (; number <= 7; ++number) {
    const std::string suffix = std::to_string(number);
    channels = parts.linear(*net, "fc" + suffix,
                            {.in_features = channels,
                             .out_features = parts.scaled(kHidden),
                             .bias = Bias::None,
                             .start = {.deviation = kHiddenDeviation}},
                            Place::Inner);
    net->emplace<BatchNorm>("bn" + suffix, BatchNormModuleOptions{.channels = channels, .affine = of_linear});
    net->emplace<Relu>("relu" + suffix);
    if (number == 6) parts.quantize(*net, "quant6");
  }
  parts.linear(
      *net, "fc8",
      {.in_features = channels, .out_features = options.classes, .start = {.deviation = kConvDeviation}},
      Place::Last);
  return net;
}

/// A hidden linear layer of Caffe's: FC R dropout.
std::size_t caffe_hidden(const NetParts& parts, Sequential& net, const std::string& number, std::size_t in) {
  constexpr double kDropout = 0.5;
  const std::size_t out =
      parts.linear(net, "fc" + number,
                   {.in_features = in,
                    .out_features = parts.scaled(kHidden),
                    .start = {.deviation = kHiddenDeviation, .bias = 0.1F, .bias_rate = 2.0F}},
                   Place::Inner);
  net.emplace<Relu>("relu" + number);
  net.emplace<Dropout>("drop" + number, kDropout, "drop" + number);
  return out;
}

}  // namespace

std::unique_ptr<Module> build_alexnet(const NetOptions& options) {
  return build_with_norm(options, Affine::None);
}
std::unique_ptr<Module> build_alexnet_bn(const NetOptions& options) {
  return build_with_norm(options, Affine::Learned);
}

std::unique_ptr<Module> build_alexnet_caffe(const NetOptions& options) {
  const NetParts parts(options);
  auto net = std::make_unique<Sequential>();
  std::size_t channels = options.input.channels;
  for (std::size_t i = 0; i < kConvs.size(); ++i) {
    const std::string number = std::to_string(i + 1);
    Conv2dOptions conv = conv_options(parts, kConvs[i], channels);
    conv.groups = kConvs[i].caffe_groups;
    conv.bias = Bias::Learned;
    conv.start.bias = kConvs[i].caffe_bias;
    conv.start.bias_rate = 2.0F;
    channels = parts.conv(*net, "conv" + number, conv, i == 0 ? Place::First : Place::Inner);
    net->emplace<Relu>("relu" + number);
    if (i < 2) net->emplace<LocalResponseNorm>("norm" + number, ResponseNormOptions{});
    if (kConvs[i].pooled) net->emplace<MaxPool>("pool" + number, kPool);
    parts.quantize(*net, "quant" + number);
  }
  net->emplace<Flatten>("flatten");
  channels = caffe_hidden(parts, *net, "6", output_size(*net, options.input));
  parts.quantize(*net, "quant6");
  channels = caffe_hidden(parts, *net, "7", channels);
  parts.linear(*net, "fc8",
               {.in_features = channels,
                .out_features = options.classes,
                .start = {.deviation = kConvDeviation, .bias_rate = 2.0F}},
               Place::Last);
  return net;
}

}  // namespace bitplane::train
