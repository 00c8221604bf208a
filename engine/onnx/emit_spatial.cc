// SPDX-License-Identifier: Apache-2.0
//
// Windows over pixels and neighbourhoods of channels.
#include <algorithm>
#include <array>
#include <limits>

#include "engine/onnx/emitter.h"

namespace bitplane::onnx {
namespace {

/// One axis of a pooling with `windows` results.
struct Axis {
  std::size_t size, windows, kernel, stride, pad;
};

/// Padding behind the last pixel so that rounding down gives that many windows: runtimes disagree about
/// ceil_mode at the border. Always less than the kernel: each window begins inside the padded picture.
std::int64_t pad_behind(const Axis& axis) {
  const std::int64_t reach = integer((axis.windows - 1) * axis.stride + axis.kernel);
  return std::max<std::int64_t>(0, reach - integer(axis.size + axis.pad));
}

/// Kernel by positions of window `index` inside the padded picture.
float cut_factor(const Axis& axis, std::size_t index) {
  const std::size_t inside = std::min(axis.kernel, axis.size + 2 * axis.pad - index * axis.stride);
  return static_cast<float>(axis.kernel) / static_cast<float>(inside);
}

std::vector<Attribute> window_attributes(const Axis& rows, const Axis& columns) {
  return {
      {"kernel_shape", std::vector{integer(rows.kernel), integer(columns.kernel)}},
      {"pads", std::vector{integer(rows.pad), integer(columns.pad), pad_behind(rows), pad_behind(columns)}},
      {"strides", std::vector{integer(rows.stride), integer(columns.stride)}}};
}

template <class Pool>
std::array<Axis, 2> axes_of(const Pool& op, const engine::NodeShape& in, const engine::NodeShape& out) {
  return {{{in.height, out.height, op.kernel_h, op.stride_h, op.pad_h},
           {in.width, out.width, op.kernel_w, op.stride_w, op.pad_w}}};
}

}  // namespace

std::string Emitter::pad(const std::string& wish, const std::string& input,
                         std::span<const std::int64_t> pads) {
  const std::array<std::size_t, 1> dims{pads.size()};
  return graph_.add({"Pad", {input, graph_.constant(wish + "/pads", dims, pads)}, wish});
}

Layout Emitter::emit(const engine::MaxPool& op, const Place& at) {
  const auto [rows, columns] = axes_of(op, at.inputs[0].shape, at.shape);
  graph_.add({"MaxPool", {map(at.inputs[0])}, at.name, window_attributes(rows, columns)});
  return Layout::Map;
}

/// Where padding counts, ONNX counts all of it, also what pad_behind() added: those windows are made larger
/// again.
Layout Emitter::emit(const engine::AveragePool& op, const Place& at) {
  const auto [rows, columns] = axes_of(op, at.inputs[0].shape, at.shape);
  std::vector<Attribute> attributes = window_attributes(rows, columns);
  const bool padded = op.divisor == engine::AverageDivisor::Padded;
  attributes.push_back({"count_include_pad", std::int64_t{padded ? 1 : 0}});
  const bool cut =
      padded && (pad_behind(rows) > integer(op.pad_h) || pad_behind(columns) > integer(op.pad_w));
  const std::string average = graph_.add({"AveragePool",
                                          {map(at.inputs[0])},
                                          cut ? graph_.name(at.name + "/uncut") : at.name,
                                          std::move(attributes)});
  if (cut) {
    std::vector<float> factors;
    for (std::size_t y = 0; y < rows.windows; ++y) {
      for (std::size_t x = 0; x < columns.windows; ++x)
        factors.push_back(cut_factor(rows, y) * cut_factor(columns, x));
    }
    const std::array<std::size_t, 4> dims{1, 1, rows.windows, columns.windows};
    graph_.add({"Mul", {average, graph_.constant(at.name + "/cut", dims, factors)}, at.name});
  }
  return Layout::Map;
}

Layout Emitter::emit(const engine::GlobalAveragePool& /*op*/, const Place& at) {
  graph_.add({"GlobalAveragePool", {map(at.inputs[0])}, at.name});
  return Layout::Map;
}

Layout Emitter::emit(const engine::ZeroChannelShortcut& op, const Place& at) {
  const engine::NodeShape& in = at.inputs[0].shape;
  std::string sampled = map(at.inputs[0]);
  const std::string name = op.front + op.back == 0 ? at.name : graph_.name(at.name + "/sampled");
  if (op.sampling == engine::ShortcutSampling::Average) {
    const Axis rows{in.height, at.shape.height, op.stride_h, op.stride_h, 0},
        columns{in.width, at.shape.width, op.stride_w, op.stride_w, 0};
    sampled = graph_.add({"AveragePool", {sampled}, name, window_attributes(rows, columns)});
  } else {
    const std::array<std::size_t, 1> dims{2};
    const auto list = [&](const char* wish, std::array<std::int64_t, 2> values) {
      return graph_.constant(at.name + wish, dims, values);
    };
    constexpr std::int64_t kEnd = std::numeric_limits<std::int64_t>::max();
    sampled =
        graph_.add({"Slice",
                    {sampled, list("/starts", {0, 0}), list("/ends", {kEnd, kEnd}), list("/axes", {2, 3}),
                     list("/steps", {integer(op.stride_h), integer(op.stride_w)})},
                    name});
  }
  if (op.front + op.back > 0) {
    pad(at.name, sampled, std::array<std::int64_t, 8>{0, integer(op.front), 0, 0, 0, integer(op.back), 0, 0});
  }
  return Layout::Map;
}

/// x / (k + alpha * mean of squares)^beta, the pixels outside counting as zeros.
void Emitter::norm_within_channel(const engine::LocalResponseNorm& op, const Place& at) {
  const std::string x = map(at.inputs[0]);
  const auto step = [&](const char* type, std::vector<std::string> inputs, const char* name,
                        std::vector<Attribute> attributes = {}) {
    return graph_.add({type, std::move(inputs), graph_.name(at.name + name), std::move(attributes)});
  };
  const std::int64_t size = integer(op.size), half = integer(op.size / 2);
  const std::string mean = step("AveragePool", {step("Mul", {x, x}, "/squares")}, "/mean",
                                {{"count_include_pad", std::int64_t{1}},
                                 {"kernel_shape", std::vector{size, size}},
                                 {"pads", std::vector{half, half, half, half}},
                                 {"strides", std::vector<std::int64_t>{1, 1}}});
  const std::string scaled = step("Mul", {mean, scalar(at.name + "/alpha", op.alpha)}, "/scaled");
  const std::string sum = step("Add", {scaled, scalar(at.name + "/k", op.k)}, "/sum");
  const std::string power = step("Pow", {sum, scalar(at.name + "/beta", op.beta)}, "/power");
  graph_.add({"Div", {x, power}, at.name});
}

Layout Emitter::emit(const engine::LocalResponseNorm& op, const Place& at) {
  if (op.scope == engine::NormScope::WithinChannel) {
    norm_within_channel(op, at);
  } else {
    graph_.add({"LRN",
                {map(at.inputs[0])},
                at.name,
                {{"alpha", op.alpha}, {"beta", op.beta}, {"bias", op.k}, {"size", integer(op.size)}}});
  }
  return Layout::Map;
}

}  // namespace bitplane::onnx
