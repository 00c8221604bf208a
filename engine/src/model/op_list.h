// SPDX-License-Identifier: Apache-2.0
//
// The one list of the graph's operations. To add one: a struct in Operation (model_spec.h), describe() and
// check() in ops/, and a row here.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>
#include <variant>

#include "bitplane/model_spec.h"
#include "model/node_fact.h"
#include "model/node_reader.h"
#include "model/node_writer.h"

namespace bitplane::engine {

struct OpInfo {
  std::string_view name;  ///< in files
  int version;            ///< the lowest format version that has it
  std::size_t inputs;     ///< how many a node has at least
  std::size_t most_inputs;
  Operation (*make)();
  void (*read)(NodeReader&, Operation&);
  void (*write)(NodeWriter&, const Operation&);
  /// Everything that the format demands of the operation on those inputs; what its output is.
  Result<NodeFact> (*check)(const Operation&, std::span<const NodeFact>);
};

/// In the order of Operation's alternatives.
extern const std::array<OpInfo, std::variant_size_v<Operation>> kOps;

[[nodiscard]] inline const OpInfo& op_info(const Operation& op) noexcept {
  return kOps[op.index()];
}
/// Plane weights on the picture itself: the layer multiplies bytes.
[[nodiscard]] bool reads_bytes(const Node& node) noexcept;
/// Weights that came with version 2, on floats.
[[nodiscard]] bool has_codebook(const Node& node) noexcept;
/// The lowest format version that has the node: its operation, and its weights, and what it does with its
/// input.
[[nodiscard]] int format_version_of(const Node& node) noexcept;
/// The lowest format version that has all nodes of the graph.
[[nodiscard]] int format_version_of(const ModelSpec& spec) noexcept;
/// Null when there is none of that name.
[[nodiscard]] const OpInfo* find_op(std::string_view name) noexcept;

}  // namespace bitplane::engine
