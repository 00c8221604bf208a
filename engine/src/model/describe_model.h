// SPDX-License-Identifier: Apache-2.0
//
// What reader and writer must agree on besides the operations: metadata keys and the parts of a model around
// its nodes. The name "input" belongs to the picture and "golden" to the golden pair, so no node may have
// them.
#pragma once

#include <string_view>

#include "bitplane/model_spec.h"
#include "model/node_reader.h"

namespace bitplane::engine {

inline constexpr std::string_view kVersionKey = "bitplane.format_version";
inline constexpr std::string_view kGraphKey = "bitplane.graph";
inline constexpr std::string_view kLabelsKey = "bitplane.labels";
inline constexpr std::string_view kProvenanceKey = "bitplane.provenance";

inline constexpr std::string_view kInputName = "input";
inline constexpr std::string_view kGoldenName = "golden";

template <class Archive>
void describe(Archive& a, typename Archive::template Value<InputSpec>& input) {
  a.number("height", input.height);
  a.number("width", input.width);
  a.number("channels", input.channels);
  a.floats("mean", input.mean, Presence::Required);
  a.floats("std", input.std, Presence::Required);
}

/// Of tensors alone: the graph's JSON says nothing about it.
template <class Archive>
void describe(Archive& a, typename Archive::template Value<GoldenPair>& golden, const InputSpec& input) {
  a.bytes("input", golden.input, Presence::Optional, {input.height, input.width, input.channels});
  a.floats("output", golden.output, Presence::Optional);
}

}  // namespace bitplane::engine
