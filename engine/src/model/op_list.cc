// SPDX-License-Identifier: Apache-2.0
#include "model/op_list.h"

#include <algorithm>
#include <type_traits>

#include "model/describe_model.h"
#include "model/limits.h"
#include "model/ops/convolution.h"
#include "model/ops/elementwise.h"
#include "model/ops/joins.h"
#include "model/ops/normalization.h"
#include "model/ops/quantize.h"
#include "model/ops/spatial.h"

namespace bitplane::engine {
namespace {

struct InputCount {
  std::size_t least = 1, most = 1;
};
constexpr InputCount kTwoInputs{2, 2}, kManyInputs{1, kMaxNodes};

/// A row of the list. Index is the position that it must have in Operation.
template <std::size_t Index, class Op>
constexpr OpInfo op_row(std::string_view name, int version, InputCount inputs = {}) {
  static_assert(std::is_same_v<Op, std::variant_alternative_t<Index, Operation>>);
  return {
      .name = name,
      .version = version,
      .inputs = inputs.least,
      .most_inputs = inputs.most,
      .make = [] { return Operation(Op{}); },
      .read = [](NodeReader& reader, Operation& op) { describe(reader, std::get<Op>(op)); },
      .write = [](NodeWriter& writer, const Operation& op) { describe(writer, std::get<Op>(op)); },
      .check = [](const Operation& op, std::span<const NodeFact> in) { return check(std::get<Op>(op), in); },
  };
}

}  // namespace

constexpr std::array<OpInfo, std::variant_size_v<Operation>> kOps{
    op_row<0, Conv2d>("conv2d", 1),
    op_row<1, Linear>("linear", 1),
    op_row<2, BatchNorm>("batch_norm", 1),
    op_row<3, Relu>("relu", 1),
    op_row<4, Quantize>("quantize", 1),
    op_row<5, MaxPool>("max_pool", 1),
    op_row<6, GlobalAveragePool>("global_average_pool", 1),
    op_row<7, Flatten>("flatten", 1),
    op_row<8, Add>("add", 2, kTwoInputs),
    op_row<9, Concat>("concat", 2, kManyInputs),
    op_row<10, AveragePool>("average_pool", 2),
    op_row<11, ZeroChannelShortcut>("zero_channel_shortcut", 2),
    op_row<12, LocalResponseNorm>("local_response_norm", 2),
    op_row<13, Softmax>("softmax", 2),
    op_row<14, Identity>("identity", 2),
    op_row<15, Dequantize>("dequantize", 2),
};

namespace {

/// Null where the operation has none.
const Weights* weights_in(const Operation& op) noexcept {
  if (const auto* conv = std::get_if<Conv2d>(&op)) return &conv->weights;
  const auto* linear = std::get_if<Linear>(&op);
  return linear != nullptr ? &linear->weights : nullptr;
}

}  // namespace

bool reads_bytes(const Node& node) noexcept {
  const Weights* weights = weights_in(node.op);
  return weights != nullptr && node.inputs.size() == 1 && node.inputs[0] == kInputName &&
         std::holds_alternative<PlaneWeights>(*weights);
}

bool has_codebook(const Node& node) noexcept {
  const Weights* weights = weights_in(node.op);
  return weights != nullptr && std::holds_alternative<CodebookWeights>(*weights);
}

int format_version_of(const Node& node) noexcept {
  return std::max(op_info(node.op).version, reads_bytes(node) || has_codebook(node) ? 2 : 1);
}

int format_version_of(const ModelSpec& spec) noexcept {
  int version = 1;
  for (const Node& node : spec.nodes) version = std::max(version, format_version_of(node));
  return version;
}

const OpInfo* find_op(std::string_view name) noexcept {
  const auto found =
      std::find_if(kOps.begin(), kOps.end(), [&](const OpInfo& op) { return op.name == name; });
  return found == kOps.end() ? nullptr : &*found;
}

}  // namespace bitplane::engine
