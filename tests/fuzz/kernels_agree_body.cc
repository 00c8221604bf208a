// SPDX-License-Identifier: Apache-2.0
#include "fuzz/kernels_agree_body.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "kernels/reference/bit_conv_runner.h"
#include "kernels/reference/random.h"

namespace bitplane::fuzz {
namespace {

using namespace kernels;
using reference::Guarded;
using reference::Layer;
using reference::LayerRunner;
using reference::Random;

/// Takes small numbers from the front of the input.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::size_t byte() {
    if (bytes_.empty()) return 0;
    const auto value = std::to_integer<std::size_t>(bytes_.front());
    bytes_ = bytes_.subspan(1);
    return value;
  }
  std::size_t between(std::size_t first, std::size_t last) { return first + byte() % (last - first + 1); }
  std::uint64_t word() {
    std::uint64_t value = 0;
    for (int i = 0; i < 8; ++i) value = value << 8 | byte();
    return value;
  }

 private:
  std::span<const std::byte> bytes_;
};

ConvShape read_shape(Reader& reader) {
  ConvShape shape{.batch = reader.between(1, 3),
                  .kernel_h = reader.between(1, 4),
                  .kernel_w = reader.between(1, 4),
                  .stride_h = reader.between(1, 3),
                  .stride_w = reader.between(1, 3),
                  .pad_h = reader.between(0, 3),
                  .pad_w = reader.between(0, 3),
                  .dilation_h = reader.between(1, 2),
                  .dilation_w = reader.between(1, 2)};
  const auto least = [](std::size_t kernel, std::size_t dilation, std::size_t pad) {
    const std::size_t span = dilation * (kernel - 1) + 1;
    return span > 2 * pad ? span - 2 * pad : 1;
  };
  shape.height = least(shape.kernel_h, shape.dilation_h, shape.pad_h) + reader.between(0, 5);
  shape.width = least(shape.kernel_w, shape.dilation_w, shape.pad_w) + reader.between(0, 13);
  shape.groups = reader.between(0, 3) == 0 ? reader.between(2, 5) : 1;
  shape.channels = shape.groups * reader.between(1, 130);
  shape.out_channels = shape.groups * reader.between(1, shape.groups == 1 ? 72 : 20);
  return shape;
}

std::vector<std::int32_t> multiples(Random& random, std::size_t planes) {
  std::vector<std::int32_t> list;
  for (std::size_t i = 0; i < planes; ++i) list.push_back(1 << std::min<std::size_t>(i, 8));
  if (random.coin()) list.back() = -list.back();
  return list;
}

Layer read_layer(Reader& reader) {
  Layer layer;
  layer.shape = read_shape(reader);
  const std::size_t kinds = reader.byte();
  layer.weight_encoding = (kinds & 1U) != 0 ? Encoding::Bipolar : Encoding::Unsigned;
  layer.activation_encoding = (kinds & 2U) != 0 ? Encoding::Bipolar : Encoding::Unsigned;
  layer.combination = static_cast<Combination>((kinds >> 2) & 3U);
  layer.weight_planes = reader.between(1, (kinds & 16U) != 0 ? kMaxPlanes : 3);
  layer.activation_planes = reader.between(1, (kinds & 32U) != 0 ? kMaxActivationPlanes : 3);
  Random random(reader.word());
  const unsigned weight_mask = (1U << layer.weight_planes) - 1U;
  const unsigned activation_mask = (1U << layer.activation_planes) - 1U;
  const bool extreme = (kinds & 64U) != 0;  // codes of zeros and ones only
  const auto code = [&](unsigned mask) {
    return static_cast<unsigned>(extreme ? (random.coin() ? mask : 0U) : random.bits() & mask);
  };
  const ConvShape& shape = layer.shape;
  layer.weights.resize(shape.out_channels * shape.filter_size());
  for (auto& weight : layer.weights) weight = static_cast<std::uint16_t>(code(weight_mask));
  layer.activations.resize(shape.batch * shape.height * shape.width * shape.channels);
  for (auto& activation : layer.activations) activation = static_cast<std::uint8_t>(code(activation_mask));
  if (layer.learned_weights()) {
    for (std::size_t i = 0; i < layer.weight_planes * shape.out_channels; ++i)
      layer.weight_basis.push_back(random.real());
  } else {
    layer.weight_multiples = multiples(random, layer.weight_planes);
  }
  if (layer.learned_activations()) {
    for (std::size_t j = 0; j < layer.activation_planes; ++j) layer.activation_basis.push_back(random.real());
  } else {
    layer.activation_multiples = multiples(random, layer.activation_planes);
  }
  if ((kinds & 128U) != 0) {
    if (random.coin()) {
      for (std::size_t o = 0; o < shape.out_channels; ++o) layer.weight_offset.push_back(random.real());
    }
    if (random.coin()) layer.activation_offset = random.real();
  }
  return layer;
}

std::string describe(const Layer& layer) {
  const ConvShape& s = layer.shape;
  std::string text;
  for (const std::size_t value :
       {s.batch, s.height, s.width, s.channels, s.out_channels, s.kernel_h, s.kernel_w, s.stride_h,
        s.stride_w, s.pad_h, s.pad_w, s.dilation_h, s.dilation_w, s.groups, layer.weight_planes,
        layer.activation_planes, static_cast<std::size_t>(layer.weight_encoding),
        static_cast<std::size_t>(layer.activation_encoding), static_cast<std::size_t>(layer.combination)}) {
    text += " " + std::to_string(value);
  }
  return text;
}

/// Planes of the layer's outputs through thresholds on z.
std::vector<std::byte> planes_of(const Layer& layer, const LowBitKernel& kernel, std::size_t row_step,
                                 const std::vector<float>& thresholds, const ActivationLayout& layout) {
  const std::vector<float> ones(layout.channels, 1.0F), zeros(layout.channels, 0.0F);
  const std::vector<std::uint8_t> code_of_rank{1, 0, 2};
  Guarded<std::byte> planes(layer.shape.batch * layout.picture_bytes(), 8);
  planes.fill_bytes(0x3C);
  LayerRunner(layer, kernel)
      .run({.kind = EpilogueKind::Planes,
            .affine = {ones.data(), zeros.data()},
            .ranks = {thresholds.data(), thresholds.size(), code_of_rank.data()},
            .out_planes = planes.data(),
            .layout = layout},
           row_step);
  return {planes.begin(), planes.end()};
}

std::vector<std::byte> expected_planes(const Layer& layer, const std::vector<float>& z,
                                       const std::vector<float>& thresholds, const ActivationLayout& layout) {
  constexpr std::uint8_t kCodes[] = {1, 0, 2};
  std::vector<std::uint8_t> codes;
  for (const float value : z) codes.push_back(kCodes[(value > thresholds[0]) + (value > thresholds[1])]);
  std::vector<std::byte> planes(layer.shape.batch * layout.picture_bytes());
  pack_codes(codes, layer.shape.batch, layout, planes.data());
  return planes;
}

}  // namespace

std::string check_kernels_agree(std::span<const std::byte> bytes) {
  Reader reader(bytes);
  const std::size_t row_step = reader.between(1, 5);
  const Layer layer = read_layer(reader);
  const std::vector<float> z = reference::z_of(layer);
  std::vector<float> thresholds{z.front(), z[z.size() / 2]};
  std::sort(thresholds.begin(), thresholds.end());
  const ActivationLayout layout{.height = layer.shape.out_height(),
                                .width = layer.shape.out_width(),
                                .channels = layer.shape.out_channels,
                                .planes = 2,
                                .groups = layer.shape.groups};
  const std::vector<std::byte> planes = expected_planes(layer, z, thresholds, layout);
  const bool uniform = layer.combination == Combination::UniformBoth;
  const auto integers = uniform ? reference::integers_of(layer) : std::vector<std::int32_t>{};
  for (const LowBitKernel* kernel : reference::kernels_for(layer)) {
    const std::string where = std::string(kernel->info.name) + " on" + describe(layer);
    if (LayerRunner(layer, *kernel).z(row_step) != z) return "z of " + where;
    if (uniform && LayerRunner(layer, *kernel).integers(row_step) != integers) return "integers of " + where;
    if (planes_of(layer, *kernel, row_step, thresholds, layout) != planes) return "planes of " + where;
  }
  return "";
}

}  // namespace bitplane::fuzz
