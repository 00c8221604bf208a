// SPDX-License-Identifier: Apache-2.0
//
// A quantizer from standard operations, with exactly its levels and exactly its comparisons, x > t.
#include <array>

#include "engine/onnx/emitter.h"
#include "engine/onnx/levels.h"

namespace bitplane::onnx {
namespace {

/// ONNX's number of int64, for Cast.
constexpr std::int64_t kInt64 = 7;
/// Up to here one comparison per threshold is the shorter graph, and has no table look-ups.
constexpr std::size_t kMostBitsOneByOne = 3;

}  // namespace

std::string Emitter::scalar(const std::string& wish, float value) {
  return graph_.constant(wish, {}, std::array{value});
}

/// Thresholds ascend, so the last one that x exceeds decides.
void Emitter::compare_one_by_one(const engine::Quantize& op, const Place& at) {
  const std::vector<float> levels = levels_by_rank(op);
  std::string chosen = scalar(at.name + "/level0", levels[0]);
  for (std::size_t l = 0; l < op.thresholds.size(); ++l) {
    const std::string number = std::to_string(l + 1);
    const std::string exceeds =
        graph_.add({"Greater",
                    {at.inputs[0].name, scalar(at.name + "/threshold" + number, op.thresholds[l])},
                    graph_.name(at.name + "/exceeds" + number)});
    const bool last = l + 1 == op.thresholds.size();
    chosen = graph_.add({"Where",
                         {exceeds, scalar(at.name + "/level" + number, levels[l + 1]), chosen},
                         last ? at.name : graph_.name(at.name + "/chosen" + number)});
  }
}

/// The rank from its highest bit down: each comparison is with the threshold in the middle of the ranks that
/// are left.
void Emitter::compare_by_halves(const engine::Quantize& op, const Place& at) {
  const std::string& x = at.inputs[0].name;
  std::string rank;  // so far: its upper bits
  for (std::size_t bit = op.bits; bit-- > 0;) {
    const std::string number = std::to_string(bit);
    std::vector<float> middle;
    for (std::size_t upper = 0; upper < std::size_t{1} << (op.bits - 1 - bit); ++upper)
      middle.push_back(op.thresholds[(upper << (bit + 1)) + (std::size_t{1} << bit) - 1]);
    const std::array<std::size_t, 1> dims{middle.size()};
    const std::string table = rank.empty() ? scalar(at.name + "/threshold", middle[0])
                                           : graph_.constant(at.name + "/thresholds" + number, dims, middle);
    const std::string threshold =
        rank.empty() ? table
                     : graph_.add({"Gather", {table, rank}, graph_.name(at.name + "/threshold" + number)});
    const std::string exceeds =
        graph_.add({"Greater", {x, threshold}, graph_.name(at.name + "/exceeds" + number)});
    const std::string digit =
        graph_.add({"Cast", {exceeds}, graph_.name(at.name + "/bit" + number), {{"to", kInt64}}});
    if (rank.empty()) {
      rank = digit;
      continue;
    }
    const std::string doubled = graph_.add({"Add", {rank, rank}, graph_.name(at.name + "/twice" + number)});
    rank = graph_.add({"Add", {doubled, digit}, graph_.name(at.name + "/rank" + number)});
  }
  const std::vector<float> levels = levels_by_rank(op);
  const std::array<std::size_t, 1> dims{levels.size()};
  graph_.add({"Gather", {graph_.constant(at.name + "/levels", dims, levels), rank}, at.name});
}

Layout Emitter::emit(const engine::Quantize& op, const Place& at) {
  if (op.bits <= kMostBitsOneByOne) {
    compare_one_by_one(op, at);
  } else {
    compare_by_halves(op, at);
  }
  return at.inputs[0].layout;
}

}  // namespace bitplane::onnx
