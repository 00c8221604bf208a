// SPDX-License-Identifier: Apache-2.0
#include "trainer/ops/concat.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "trainer/autograd/profile.h"
#include "trainer/tensor/row_loops.h"

namespace bitplane::train {
namespace {

Shape with_channels(const Shape& shape, std::size_t channels) {
  switch (shape.rank()) {
    case 2:
      return {shape[0], channels};
    case 4:
      return {shape[0], shape[1], shape[2], channels};
    default:
      throw std::invalid_argument("concatenation of " + shape.str() + ": expected [n, c] or [n, h, w, c]");
  }
}

/// Channels [first, first + width) of rows of `wide` channels, against rows of `width` channels.
struct ChannelSlice {
  std::size_t wide, first, width;
};

void copy_in(Backend& backend, const ChannelSlice& slice, const Tensor& part, float* whole) {
  for_each_block(backend, part.shape(), [&](const BlockAt& at) {
    const float* from = part.data() + at.offset;
    float* to = whole + at.offset / slice.width * slice.wide + slice.first;
    for (std::size_t row = 0; row < at.block.rows; ++row, from += slice.width, to += slice.wide)
      std::copy_n(from, slice.width, to);
  });
}

Tensor copy_out(Backend& backend, const ChannelSlice& slice, const Shape& shape, const Tensor& whole) {
  Tensor part(shape);
  float* parts = part.mutable_data();
  for_each_block(backend, shape, [&](const BlockAt& at) {
    const float* from = whole.data() + at.offset / slice.width * slice.wide + slice.first;
    float* to = parts + at.offset;
    for (std::size_t row = 0; row < at.block.rows; ++row, from += slice.wide, to += slice.width)
      std::copy_n(from, slice.width, to);
  });
  return part;
}

}  // namespace

Variable concat(const Context& ctx, const std::vector<Variable>& parts) {
  const OpTimer timer(ctx, "concat");
  if (parts.empty()) throw std::invalid_argument("concatenation of nothing");
  std::vector<Shape> shapes;
  std::size_t channels = 0;
  for (const Variable& part : parts) {
    shapes.push_back(part.shape());
    expect_shape(with_channels(shapes.back(), 0), with_channels(shapes.front(), 0),
                 "concatenation of channels (written as 0)");
    channels += shapes.back().back();
  }
  Tensor whole(with_channels(shapes.front(), channels));
  std::size_t first = 0;
  for (const Variable& part : parts) {
    const std::size_t width = part.shape().back();
    copy_in(ctx.backend, {channels, first, width}, part.value(), whole.mutable_data());
    first += width;
  }
  return record(ctx, "concat", std::move(whole), parts,
                [&backend = ctx.backend, shapes = std::move(shapes), channels](const Tensor& dy) {
                  Gradients grads;
                  std::size_t at = 0;
                  for (const Shape& shape : shapes) {
                    grads.push_back(copy_out(backend, {channels, at, shape.back()}, shape, dy));
                    at += shape.back();
                  }
                  return grads;
                });
}

}  // namespace bitplane::train
