// SPDX-License-Identifier: Apache-2.0
#include "model/ops/convolution.h"

#include <string>

#include "model/limits.h"

namespace bitplane::engine {
namespace {

void check_geometry(Checks& checks, const Conv2d& op, const NodeShape& in) {
  checks.range("out_channels", op.out_channels, 1, kMaxDimension);
  checks.range("kernel height", op.kernel_h, 1, kMaxDimension);
  checks.range("kernel width", op.kernel_w, 1, kMaxDimension);
  checks.range("stride height", op.stride_h, 1, kMaxDimension);
  checks.range("stride width", op.stride_w, 1, kMaxDimension);
  checks.range("padding height", op.pad_h, 0, kMaxDimension);
  checks.range("padding width", op.pad_w, 0, kMaxDimension);
  checks.range("dilation height", op.dilation_h, 1, kMaxDimension);
  checks.range("dilation width", op.dilation_w, 1, kMaxDimension);
  checks.range("groups", op.groups, 1, in.channels);
  if (!checks.ok()) return;
  if (in.channels % op.groups != 0 || op.out_channels % op.groups != 0) {
    checks.fail(std::to_string(op.groups) + " groups do not divide " + std::to_string(in.channels) +
                " input channels and " + std::to_string(op.out_channels) + " output channels");
  }
}

/// Positions of the dilated window along one axis; 0 when it is longer than the padded picture.
std::size_t positions(std::size_t size, std::size_t pad, std::size_t window, std::size_t stride) {
  return window > size + 2 * pad ? 0 : (size + 2 * pad - window) / stride + 1;
}

}  // namespace

Result<NodeFact> check(const Conv2d& op, std::span<const NodeFact> inputs) {
  const NodeShape& in = inputs[0].shape;
  Checks checks;
  check_geometry(checks, op, in);
  if (!checks.ok()) return checks.status();
  const std::size_t window_h = op.dilation_h * (op.kernel_h - 1) + 1,
                    window_w = op.dilation_w * (op.kernel_w - 1) + 1;
  const NodeShape out{positions(in.height, op.pad_h, window_h, op.stride_h),
                      positions(in.width, op.pad_w, window_w, op.stride_w), op.out_channels};
  if (out.height == 0 || out.width == 0) {
    checks.fail("its window of " + std::to_string(window_h) + 'x' + std::to_string(window_w) +
                " (dilated) is larger than the padded input of " + shape_text(in));
  }
  checks.shape("output", out);
  const FilterShape filters{op.out_channels, op.kernel_h * op.kernel_w * (in.channels / op.groups)};
  check_weights(checks, op.weights, filters, inputs[0]);
  checks.size_or_empty("bias", op.bias.size(), op.out_channels);
  checks.finite("bias", op.bias);
  // Kernels copy rows of it. Its sides may be longer than those of a value: no factor exceeds 3 * 2^20.
  checks.elements("padded input", {in.height + 2 * op.pad_h, in.width + 2 * op.pad_w, in.channels});
  return fact_or(checks, {out, nullptr});
}

Result<NodeFact> check(const Linear& op, std::span<const NodeFact> inputs) {
  const NodeShape& in = inputs[0].shape;
  Checks checks;
  checks.range("out_features", op.out_features, 1, kMaxDimension);
  if (in.height != 1 || in.width != 1) {
    checks.fail("its input is " + shape_text(in) + "; it must be 1x1xfeatures: put a flatten before it");
  }
  if (!checks.ok()) return checks.status();
  check_weights(checks, op.weights, {op.out_features, in.channels}, inputs[0]);
  checks.size_or_empty("bias", op.bias.size(), op.out_features);
  checks.finite("bias", op.bias);
  return fact_or(checks, {{1, 1, op.out_features}, nullptr});
}

}  // namespace bitplane::engine
