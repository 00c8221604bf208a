// SPDX-License-Identifier: Apache-2.0
#include "trainer/nets/vgg.h"

#include <array>
#include <span>
#include <string>

#include "trainer/nets/parts.h"

namespace bitplane::train {
namespace {

enum class Pool : std::uint8_t { No, Yes };
struct VggConv {
  std::size_t channels;
  Pool pool;
};
constexpr std::array<VggConv, 6> kSmall{{{128, Pool::No},
                                         {128, Pool::Yes},
                                         {256, Pool::No},
                                         {256, Pool::Yes},
                                         {512, Pool::No},
                                         {512, Pool::Yes}}};
constexpr std::array<VggConv, 9> kVariant{{{256, Pool::No},
                                           {256, Pool::No},
                                           {256, Pool::Yes},
                                           {512, Pool::No},
                                           {512, Pool::No},
                                           {512, Pool::Yes},
                                           {512, Pool::No},
                                           {512, Pool::No},
                                           {512, Pool::Yes}}};
constexpr std::array<VggConv, 13> kSixteen{{{64, Pool::No},
                                            {64, Pool::Yes},
                                            {128, Pool::No},
                                            {128, Pool::Yes},
                                            {256, Pool::No},
                                            {256, Pool::No},
                                            {256, Pool::Yes},
                                            {512, Pool::No},
                                            {512, Pool::No},
                                            {512, Pool::Yes},
                                            {512, Pool::No},
                                            {512, Pool::No},
                                            {512, Pool::Yes}}};

/// A net under construction: where it is, and the number of the next layer.
struct Stack {
  explicit Stack(const NetOptions& options) : parts(options), channels(options.input.channels) {}
  NetParts parts;
  std::unique_ptr<Sequential> net = std::make_unique<Sequential>();
  std::size_t channels, number = 1;
};

enum class Ends : std::uint8_t { Quantized, Float };

/// conv (MP) BN R Q for each row; `end` says whether the last one has its Q.
void add_convs(Stack& s, std::span<const VggConv> rows, Ends end) {
  for (std::size_t i = 0; i < rows.size(); ++i, ++s.number) {
    const std::string number = std::to_string(s.number);
    s.channels = s.parts.conv(*s.net, "conv" + number,
                              {.in_channels = s.channels, .out_channels = s.parts.scaled(rows[i].channels)},
                              s.number == 1 ? Place::First : Place::Inner);
    if (rows[i].pool == Pool::Yes) s.net->emplace<MaxPool>("pool" + number, PoolOptions{});
    s.parts.norm_relu(*s.net, number, s.channels);
    if (i + 1 < rows.size() || end == Ends::Quantized) s.parts.quantize(*s.net, "quant" + number);
  }
}

void flatten(Stack& s) {
  s.net->emplace<Flatten>("flatten");
  s.channels = output_size(*s.net, s.parts.options().input);
}

/// FC* BN R (Q)
void add_hidden_linear(Stack& s, std::size_t features, Affine affine, Ends end) {
  const std::string number = std::to_string(s.number++);
  s.channels = s.parts.linear(
      *s.net, "fc" + number,
      {.in_features = s.channels, .out_features = s.parts.scaled(features), .bias = Bias::None},
      Place::Inner);
  s.net->emplace<BatchNorm>("bn" + number, BatchNormModuleOptions{.channels = s.channels, .affine = affine});
  s.net->emplace<Relu>("relu" + number);
  if (end == Ends::Quantized) s.parts.quantize(*s.net, "quant" + number);
}

std::unique_ptr<Module> finish(Stack& s) {
  s.parts.linear(*s.net, "fc" + std::to_string(s.number),
                 {.in_features = s.channels, .out_features = s.parts.options().classes}, Place::Last);
  return std::move(s.net);
}

}  // namespace

std::unique_ptr<Module> build_vgg_small(const NetOptions& options) {
  Stack s(options);
  add_convs(s, kSmall, Ends::Float);
  flatten(s);
  return finish(s);
}

std::unique_ptr<Module> build_vgg_7(const NetOptions& options) {
  Stack s(options);
  add_convs(s, kSmall, Ends::Quantized);
  flatten(s);
  add_hidden_linear(s, 1024, Affine::Learned, Ends::Float);
  return finish(s);
}

std::unique_ptr<Module> build_vgg_variant(const NetOptions& options) {
  Stack s(options);
  s.channels = s.parts.conv(
      *s.net, "conv1",
      {.in_channels = s.channels, .out_channels = s.parts.scaled(96), .kernel = 7, .stride = 2, .pad = 3},
      Place::First);
  s.net->emplace<Relu>("relu0");
  s.net->emplace<MaxPool>("pool1", PoolOptions{});
  s.parts.norm_relu_quantize(*s.net, "1", s.channels);
  s.number = 2;
  add_convs(s, kVariant, Ends::Quantized);
  flatten(s);
  add_hidden_linear(s, 4096, Affine::None, Ends::Quantized);
  add_hidden_linear(s, 4096, Affine::None, Ends::Float);
  return finish(s);
}

std::unique_ptr<Module> build_vgg_16_bn(const NetOptions& options) {
  Stack s(options);
  add_convs(s, kSixteen, Ends::Quantized);
  flatten(s);
  add_hidden_linear(s, 4096, Affine::Learned, Ends::Quantized);
  add_hidden_linear(s, 4096, Affine::Learned, Ends::Float);
  return finish(s);
}

std::unique_ptr<Module> build_vgg_16(const NetOptions& options) {
  constexpr double kDropout = 0.5;
  Stack s(options);
  for (const VggConv& row : kSixteen) {
    const std::string number = std::to_string(s.number);
    s.channels = s.parts.conv(
        *s.net, "conv" + number,
        {.in_channels = s.channels, .out_channels = s.parts.scaled(row.channels), .bias = Bias::Learned},
        s.number++ == 1 ? Place::First : Place::Inner);
    s.net->emplace<Relu>("relu" + number);
    if (row.pool == Pool::Yes) s.net->emplace<MaxPool>("pool" + number, PoolOptions{});
    s.parts.quantize(*s.net, "quant" + number);
  }
  flatten(s);
  for (const Ends end : {Ends::Quantized, Ends::Float}) {
    const std::string number = std::to_string(s.number++);
    s.channels =
        s.parts.linear(*s.net, "fc" + number,
                       {.in_features = s.channels, .out_features = s.parts.scaled(4096)}, Place::Inner);
    s.net->emplace<Relu>("relu" + number);
    s.net->emplace<Dropout>("drop" + number, kDropout, "drop" + number);
    if (end == Ends::Quantized) s.parts.quantize(*s.net, "quant" + number);
  }
  return finish(s);
}

}  // namespace bitplane::train
