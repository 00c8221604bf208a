// SPDX-License-Identifier: Apache-2.0
#include "model/op_list.h"

#include <algorithm>
#include <type_traits>

#include "model/ops/convolution.h"
#include "model/ops/elementwise.h"
#include "model/ops/quantize.h"
#include "model/ops/spatial.h"

namespace bitplane::engine {
namespace {

/// A row of the list. Index is the position that it must have in Operation.
template <std::size_t Index, class Op>
constexpr OpInfo op_row(std::string_view name, std::size_t inputs = 1) {
  static_assert(std::is_same_v<Op, std::variant_alternative_t<Index, Operation>>);
  return {
      .name = name,
      .inputs = inputs,
      .make = [] { return Operation(Op{}); },
      .read = [](NodeReader& reader, Operation& op) { describe(reader, std::get<Op>(op)); },
      .write = [](NodeWriter& writer, const Operation& op) { describe(writer, std::get<Op>(op)); },
      .check = [](const Operation& op, std::span<const NodeFact> in) { return check(std::get<Op>(op), in); },
  };
}

}  // namespace

constexpr std::array<OpInfo, std::variant_size_v<Operation>> kOps{
    op_row<0, Conv2d>("conv2d"),
    op_row<1, Linear>("linear"),
    op_row<2, BatchNorm>("batch_norm"),
    op_row<3, Relu>("relu"),
    op_row<4, Quantize>("quantize"),
    op_row<5, MaxPool>("max_pool"),
    op_row<6, GlobalAveragePool>("global_average_pool"),
    op_row<7, Flatten>("flatten"),
};

const OpInfo* find_op(std::string_view name) noexcept {
  const auto found =
      std::find_if(kOps.begin(), kOps.end(), [&](const OpInfo& op) { return op.name == name; });
  return found == kOps.end() ? nullptr : &*found;
}

}  // namespace bitplane::engine
