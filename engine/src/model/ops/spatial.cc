// SPDX-License-Identifier: Apache-2.0
#include "model/ops/spatial.h"

#include <string>

#include "model/limits.h"

namespace bitplane::engine {
namespace {

struct PoolAxis {
  std::size_t size, kernel, stride, pad;
};

/// Windows along one axis. In ceil mode the last one may be cut by the padded border, but every window begins
/// before the picture's end, so none is empty.
std::size_t windows(const PoolAxis& a, PoolRounding rounding) {
  const std::size_t padded = a.size + 2 * a.pad;
  if (padded < a.kernel) return 0;
  const std::size_t steps = padded - a.kernel;
  if (rounding == PoolRounding::Floor) return steps / a.stride + 1;
  const std::size_t count = (steps + a.stride - 1) / a.stride + 1;
  return (count - 1) * a.stride >= a.size + a.pad ? count - 1 : count;
}

template <class Pool>
Result<NodeFact> check_pool(const Pool& op, const NodeFact& input) {
  const NodeShape& in = input.shape;
  Checks checks;
  checks.float_input(input);
  checks.range("kernel height", op.kernel_h, 1, kMaxDimension);
  checks.range("kernel width", op.kernel_w, 1, kMaxDimension);
  checks.range("stride height", op.stride_h, 1, kMaxDimension);
  checks.range("stride width", op.stride_w, 1, kMaxDimension);
  if (!checks.ok()) return checks.status();
  // Less than the kernel: a window of padding alone would have no pixel.
  checks.range("padding height", op.pad_h, 0, op.kernel_h - 1);
  checks.range("padding width", op.pad_w, 0, op.kernel_w - 1);
  if (!checks.ok()) return checks.status();
  const NodeShape out{windows({in.height, op.kernel_h, op.stride_h, op.pad_h}, op.rounding),
                      windows({in.width, op.kernel_w, op.stride_w, op.pad_w}, op.rounding), in.channels};
  if (out.height == 0 || out.width == 0) {
    checks.fail("its window of " + std::to_string(op.kernel_h) + 'x' + std::to_string(op.kernel_w) +
                " is larger than the padded input of " + shape_text(in));
  }
  checks.shape("output", out);
  return fact_or(checks, {out, nullptr});
}

}  // namespace

Result<NodeFact> check(const MaxPool& op, std::span<const NodeFact> inputs) {
  return check_pool(op, inputs[0]);
}

Result<NodeFact> check(const AveragePool& op, std::span<const NodeFact> inputs) {
  return check_pool(op, inputs[0]);
}

Result<NodeFact> check(const ZeroChannelShortcut& op, std::span<const NodeFact> inputs) {
  const NodeShape& in = inputs[0].shape;
  Checks checks;
  checks.float_input(inputs[0]);
  checks.range("stride height", op.stride_h, 1, kMaxDimension);
  checks.range("stride width", op.stride_w, 1, kMaxDimension);
  checks.range("zero channels in front", op.front, 0, kMaxDimension);
  checks.range("zero channels behind", op.back, 0, kMaxDimension);
  if (!checks.ok()) return checks.status();
  const NodeShape out{(in.height - 1) / op.stride_h + 1, (in.width - 1) / op.stride_w + 1,
                      op.front + in.channels + op.back};
  checks.shape("output", out);
  return fact_or(checks, {out, nullptr});
}

Result<NodeFact> check(const GlobalAveragePool&, std::span<const NodeFact> inputs) {
  Checks checks;
  checks.float_input(inputs[0]);
  return fact_or(checks, {{1, 1, inputs[0].shape.channels}, nullptr});
}

Result<NodeFact> check(const Flatten&, std::span<const NodeFact> inputs) {
  const NodeShape& in = inputs[0].shape;
  Checks checks;
  const NodeShape out{1, 1, in.height * in.width * in.channels};
  checks.shape("output", out);
  return fact_or(checks, {out, inputs[0].quantizer});
}

}  // namespace bitplane::engine
