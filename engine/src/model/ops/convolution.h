// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "model/ops/weights.h"

namespace bitplane::engine {

template <class Archive>
void describe(Archive& a, typename Archive::template Value<Conv2d>& op) {
  a.number("out_channels", op.out_channels);
  a.pair("kernel", op.kernel_h, op.kernel_w);
  a.pair("stride", op.stride_h, op.stride_w);
  a.pair("padding", op.pad_h, op.pad_w);
  a.pair("dilation", op.dilation_h, op.dilation_w);
  a.number("groups", op.groups);
  describe_weights(a, op.weights, op.out_channels, {op.out_channels, op.kernel_h, op.kernel_w});
  a.floats("bias", op.bias, Presence::Optional);
}

template <class Archive>
void describe(Archive& a, typename Archive::template Value<Linear>& op) {
  a.number("out_features", op.out_features);
  describe_weights(a, op.weights, op.out_features, {op.out_features});
  a.floats("bias", op.bias, Presence::Optional);
}

Result<NodeFact> check(const Conv2d& op, std::span<const NodeFact> inputs);
Result<NodeFact> check(const Linear& op, std::span<const NodeFact> inputs);

}  // namespace bitplane::engine
