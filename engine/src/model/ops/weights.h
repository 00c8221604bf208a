// SPDX-License-Identifier: Apache-2.0
//
// What weights and quantizers have in common: the names of encodings and bases, and the rules for them.
#pragma once

#include <array>
#include <cstddef>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "bitplane/model_spec.h"
#include "model/checks.h"
#include "model/node_fact.h"
#include "model/node_reader.h"

namespace bitplane::engine {

inline constexpr std::array<std::string_view, 3> kEncodingNames{"unsigned", "twos_complement", "bipolar"};
inline constexpr std::array<std::string_view, 2> kBasisNames{"uniform", "learned"};
inline constexpr std::array<std::string_view, 3> kWeightsNames{"float", "planes", "codebook"};
inline constexpr std::array<std::string_view, 2> kScopeOfCodebookNames{"layer", "channel"};

/// The tensor that holds a uniform basis ([1] or [rows]), and the one that holds a learned basis
/// ([lead...][n]).
struct BasisTensors {
  std::string_view scale, values;
};

template <class Archive>
void describe_basis(Archive& a, typename Archive::template Value<Basis>& basis, const BasisTensors& names,
                    std::initializer_list<std::size_t> lead) {
  a.alternative("basis", basis, kBasisNames);
  if (auto* uniform = std::get_if<UniformBasis>(&basis)) {
    a.floats(names.scale, uniform->scale, Presence::Required);
  } else {
    a.floats(names.values, std::get<LearnedBasis>(basis).values, Presence::Required, lead);
  }
}

template <class Archive>
void describe_codebook(Archive& a, typename Archive::template Value<CodebookWeights>& w, std::size_t rows) {
  a.number("planes", w.indices.planes);
  a.number("k", w.indices.k);
  a.choice("scope", w.scope, kScopeOfCodebookNames);
  a.words("weight_planes", w.indices, rows);
  if (w.scope == CodebookScope::Layer) {
    a.floats("weight_levels", w.levels, Presence::Required);
  } else {
    a.floats("weight_levels", w.levels, Presence::Required, {rows});
  }
}

/// `lead`: the dimensions of the float tensor before its last, which is the rest of K.
template <class Archive>
void describe_weights(Archive& a, typename Archive::template Value<Weights>& weights, std::size_t rows,
                      std::initializer_list<std::size_t> lead) {
  a.alternative("weights", weights, kWeightsNames);
  if (auto* floats = std::get_if<FloatWeights>(&weights)) {
    a.floats("weight", floats->values, Presence::Required, lead);
    return;
  }
  if (auto* codebook = std::get_if<CodebookWeights>(&weights)) return describe_codebook(a, *codebook, rows);
  auto& w = std::get<PlaneWeights>(weights);
  a.number("planes", w.planes.planes);
  a.number("k", w.planes.k);
  a.choice("encoding", w.encoding, kEncodingNames);
  a.words("weight_planes", w.planes, rows);
  describe_basis(a, w.basis, {"weight_scale", "weight_basis"}, {w.planes.planes});
  a.floats("weight_offset", w.offset, Presence::Optional);
}

/// A side of a product: how many planes and rows (1 for activations) its basis serves.
struct PlaneSide {
  PlaneEncoding encoding = PlaneEncoding::Unsigned;
  std::size_t planes = 0, rows = 0;
};

/// Size, sign and finiteness of a basis; two's complement needs a uniform one.
void check_basis(Checks& checks, const Basis& basis, const PlaneSide& side);

/// Offsets of a uniform side are taken in units of its scale, so the quotient must exist.
void check_offset(Checks& checks, std::span<const float> offset, const Basis& basis);

struct FilterShape {
  std::size_t rows = 0, k = 0;
};

/// Weights of `filters.rows` filters of `filters.k` elements on that input, and the bound of the integer
/// sums.
void check_weights(Checks& checks, const Weights& weights, const FilterShape& filters, const NodeFact& input);

}  // namespace bitplane::engine
