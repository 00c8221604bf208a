// SPDX-License-Identifier: Apache-2.0
#include "model/ops/weights.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <string>
#include <variant>

#include "io/text.h"
#include "model/limits.h"

namespace bitplane::engine {
namespace {

/// Pad bits are part of the contract: a set one would be counted.
void check_pad_bits(Checks& checks, const Planes& planes) {
  if (planes.k % 64 == 0) return;
  const std::uint64_t pad = ~std::uint64_t{0} << planes.k % 64;
  const std::size_t row_words = words_of(planes.k);
  for (std::size_t row = 0; row < planes.planes * planes.rows; ++row) {
    if ((planes.words[(row + 1) * row_words - 1] & pad) != 0) {
      return checks.fail("weight_planes: plane " + std::to_string(row / planes.rows) + ", row " +
                         std::to_string(row % planes.rows) +
                         " has bits beyond k = " + std::to_string(planes.k) + "; they must be zero");
    }
  }
}

void check_planes(Checks& checks, const Planes& planes, const FilterShape& filters) {
  checks.range("planes of the weights", planes.planes, 1, kMaxWeightPlanes);
  if (planes.rows != filters.rows) {
    checks.fail("weight_planes has " + std::to_string(planes.rows) + " rows; it must have " +
                std::to_string(filters.rows) + ", one per output channel");
  }
  if (planes.k != filters.k) {
    checks.fail("weight_planes has k = " + std::to_string(planes.k) + "; kernel and input channels make it " +
                std::to_string(filters.k));
  }
  if (!checks.ok()) return;
  checks.size("weight_planes (64-bit words)", planes.words.size(),
              planes.planes * planes.rows * words_of(planes.k));
  if (checks.ok()) check_pad_bits(checks, planes);
}

/// Of the largest index: 1 also where there is one level alone, since a tensor has elements.
std::size_t index_bits(std::size_t levels) {
  return levels < 2 ? 1 : static_cast<std::size_t>(std::bit_width(levels - 1));
}

/// Largest sum of a side's plane multiples 2^i; a learned side counts each plane on its own.
std::size_t largest_multiple(const Basis& basis, std::size_t planes) {
  return std::holds_alternative<UniformBasis>(basis) ? (std::size_t{1} << planes) - 1 : 1;
}

/// |A| and every sum on the way to it fit int32. No overflow here: k < 2^31, the other factors < 2^16 and
/// 2^8.
void check_accumulator(Checks& checks, std::size_t k, const PlaneWeights& w, const Quantize& a) {
  const std::size_t weights = largest_multiple(w.basis, w.planes.planes);
  const std::size_t activations = largest_multiple(a.basis, a.bits);
  if (k * weights * activations <= kMaxAccumulator) return;
  checks.fail("integer sums could reach " + std::to_string(k) + " * " + std::to_string(weights) + " * " +
              std::to_string(activations) +
              " (k times the largest codes); they must stay below 2^31: use fewer "
              "bits or a smaller k");
}

/// A layer on the picture's bytes: its products are of bytes, and 0 is a byte of each channel.
void check_picture_weights(Checks& checks, const PlaneWeights& w, const InputSpec& picture) {
  if (w.encoding != PlaneEncoding::TwosComplement || !std::holds_alternative<UniformBasis>(w.basis) ||
      !w.offset.empty() || w.planes.planes > kMaxPictureWeightPlanes) {
    return checks.fail(
        "plane weights on the picture are twos_complement with a uniform basis, without offset, of at most " +
            std::to_string(kMaxPictureWeightPlanes) + " planes",
        StatusCode::Unsupported);
  }
  for (std::size_t c = 0; c < picture.channels; ++c) {
    if (zero_byte(picture.mean[c])) continue;
    checks.fail("plane weights on the picture need means that are bytes / 255; input.mean[" +
                std::to_string(c) + "] is " + number_text(picture.mean[c]));
  }
  Quantize bytes;
  bytes.bits = 8;
  bytes.basis = UniformBasis{{1.0F}};
  check_accumulator(checks, w.planes.k, w, bytes);
}

void check_plane_weights(Checks& checks, const PlaneWeights& w, const FilterShape& filters,
                         const NodeFact& input) {
  check_planes(checks, w.planes, filters);
  if (!checks.ok()) return;
  check_basis(checks, w.basis, {w.encoding, w.planes.planes, filters.rows});
  checks.size_or_empty("weight_offset", w.offset.size(), filters.rows);
  if (!checks.ok()) return;
  check_offset(checks, w.offset, w.basis);
  if (input.picture != nullptr) return check_picture_weights(checks, w, *input.picture);
  if (input.quantizer == nullptr) {
    return checks.fail(
        "plane weights need codes: the input must be a quantize node, or a flatten behind one, or the "
        "picture itself; it holds floats (weights of few levels on floats are a codebook)",
        StatusCode::Unsupported);
  }
  check_accumulator(checks, filters.k, w, *input.quantizer);
}

void check_float_weights(Checks& checks, const FloatWeights& w, const FilterShape& filters) {
  checks.size("weight", w.values.size(), filters.rows * filters.k);
  checks.finite("weight", w.values);
}

/// The largest index that the planes of a row hold, 64 elements at a time: whoever has bit p of the limit
/// stays a candidate, whoever exceeds it shows.
void check_indices(Checks& checks, const Planes& planes, std::size_t levels) {
  const std::size_t limit = levels - 1, words = planes.rows * words_of(planes.k);
  for (std::size_t word = 0; word < words; ++word) {
    std::uint64_t equal = ~std::uint64_t{0}, above = 0;
    for (std::size_t p = planes.planes; p-- > 0;) {
      const std::uint64_t bits = planes.words[p * words + word];
      const bool one = (limit >> p & 1U) != 0;
      if (!one) above |= equal & bits;
      equal &= one ? bits : ~bits;
    }
    if (above == 0) continue;
    return checks.fail("weight_planes: row " + std::to_string(word / words_of(planes.k)) +
                       " holds an index beyond its " + std::to_string(levels) + " levels");
  }
}

void check_codebook(Checks& checks, const CodebookWeights& w, const FilterShape& filters) {
  check_planes(checks, w.indices, filters);
  if (!checks.ok()) return;
  const std::size_t tables = w.scope == CodebookScope::Channel ? filters.rows : 1;
  const std::size_t levels = w.levels.size() / tables;
  checks.range("levels of the codebook", levels, 1, kMaxCodebookLevels);
  checks.size("weight_levels", w.levels.size(), tables * levels);
  checks.finite("weight_levels", w.levels);
  if (!checks.ok()) return;
  const std::size_t bits = index_bits(levels);
  if (w.indices.planes != bits) {
    checks.fail("weight_planes has " + std::to_string(w.indices.planes) + " planes; " +
                std::to_string(levels) + " levels take " + std::to_string(bits));
  }
  if (checks.ok()) check_indices(checks, w.indices, levels);
}

void check_values(Checks& checks, const NodeFact& input) {
  if (input.quantizer == nullptr) return;
  checks.fail(
      "float weights and codebooks take floats, and its input holds the codes of a quantize node: put a "
      "dequantize between them, or quantize the weights to planes",
      StatusCode::Unsupported);
}

}  // namespace

void check_basis(Checks& checks, const Basis& basis, const PlaneSide& side) {
  if (const auto* learned = std::get_if<LearnedBasis>(&basis)) {
    if (side.encoding == PlaneEncoding::TwosComplement) {
      checks.fail("encoding twos_complement with a learned basis; it needs a uniform one");
    }
    checks.size("learned basis", learned->values.size(), side.planes * side.rows);
    return checks.finite("learned basis", learned->values);
  }
  const std::vector<float>& scale = std::get<UniformBasis>(basis).scale;
  if (scale.size() != 1) checks.size("scale", scale.size(), side.rows);
  checks.not_negative("scale", scale);
}

void check_offset(Checks& checks, std::span<const float> offset, const Basis& basis) {
  checks.finite("offset", offset);
  const auto* uniform = std::get_if<UniformBasis>(&basis);
  if (uniform == nullptr) return;
  for (std::size_t i = 0; i < offset.size(); ++i) {
    const float scale = uniform->scale.size() == 1 ? uniform->scale[0] : uniform->scale[i];
    const auto quotient = static_cast<float>(static_cast<double>(offset[i]) / static_cast<double>(scale));
    if (std::isfinite(quotient)) continue;
    return checks.fail("offset[" + std::to_string(i) + "] is " + number_text(offset[i]) + " and its scale " +
                       number_text(scale) + "; their quotient must be finite");
  }
}

void check_weights(Checks& checks, const Weights& weights, const FilterShape& filters,
                   const NodeFact& input) {
  checks.range("elements of a filter (k)", filters.k, 1, kMaxAccumulator);
  if (!checks.ok()) return;
  if (const auto* floats = std::get_if<FloatWeights>(&weights)) {
    check_float_weights(checks, *floats, filters);
    check_values(checks, input);
  } else if (const auto* codebook = std::get_if<CodebookWeights>(&weights)) {
    check_codebook(checks, *codebook, filters);
    check_values(checks, input);
  } else {
    check_plane_weights(checks, std::get<PlaneWeights>(weights), filters, input);
  }
}

}  // namespace bitplane::engine
