// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "lowering/passes.h"
#include "lowering/stages.h"

namespace bitplane::engine {

bool can_append(const Stages& first, const Stages& second) noexcept {
  if (first.quantize || second.floats) return false;
  const bool has_sum = first.affine || first.residual;
  // A sum comes behind the affine alone.
  if (second.residual && (first.residual || first.after || first.relu)) return false;
  if (second.affine) {
    if (first.after || first.relu) return false;
    if (has_sum && (second.residual || second.after)) return false;  // would be a third affine
  }
  if (second.after && (first.after || first.relu)) return false;
  return !(second.relu && first.relu);
}

void append(Stages& first, Stages&& second) {
  if (second.affine) (first.affine || first.residual ? first.after : first.affine) = std::move(second.affine);
  if (second.residual) first.residual = second.residual;
  if (second.after) first.after = std::move(second.after);
  first.relu |= second.relu;
  if (!second.quantize) return;
  first.quantize = std::move(second.quantize);
  if (!first.relu) return;
  // A ReLU's output is never below 0: a negative threshold is always passed.
  for (float& t : first.quantize->thresholds) {
    if (t < 0.0F) t = -std::numeric_limits<float>::infinity();
  }
}

void add_nodes(std::vector<std::size_t>& nodes, const std::vector<std::size_t>& more) {
  for (const std::size_t node : more) {
    if (std::find(nodes.begin(), nodes.end(), node) == nodes.end()) nodes.push_back(node);
  }
}

Affine identity_affine(std::size_t channels) {
  return {std::vector<float>(channels, 1.0F), std::vector<float>(channels, -0.0F)};
}

namespace {

constexpr std::size_t kNobody = static_cast<std::size_t>(-1);

class Fusion {
 public:
  explicit Fusion(Program& program)
      : program_(program), readers_(count_readers(program)), writer_(program.values.size(), kNobody) {}

  void run() {
    for (Step& step : program_.steps) {
      if (step.kind == StepKind::Elementwise && merge(step)) continue;
      for (const ValueId out : outputs_of(step)) writer_[out] = fused_.size();
      fused_.push_back(std::move(step));
    }
    program_.steps.clear();
    for (std::size_t s = 0; s < fused_.size(); ++s) {
      if (moved_.size() <= s || !moved_[s]) program_.steps.push_back(std::move(fused_[s]));
    }
  }

 private:
  /// Into the step that computes its input. A sum has two inputs and they commute: into the later step, where
  /// that can be, else into the other.
  bool merge(Step& step) {
    std::optional<ValueId>& residual = step.stages.residual;
    const bool commutes =
        residual && !step.stages.affine && program_.values[*residual].shape == step.in_shape;
    if (commutes && writer_[*residual] != kNobody &&
        (writer_[step.in] == kNobody || writer_[step.in] < writer_[*residual])) {
      std::swap(step.in, *residual);
    }
    if (merge_into_writer(step)) return true;
    if (!commutes) return false;
    std::swap(step.in, *residual);
    return merge_into_writer(step);
  }

  bool merge_into_writer(Step& step) {
    const std::size_t before = writer_[step.in];
    if (before == kNobody || readers_[step.in] != 1 || !sees_value_shape(program_, step)) return false;
    if (!has_stages(fused_[before]) || !can_append(fused_[before].stages, step.stages)) return false;
    const std::size_t target = step.stages.residual ? behind(*step.stages.residual, before) : before;
    append(fused_[target].stages, std::move(step.stages));
    add_nodes(fused_[target].nodes, step.nodes);
    fused_[target].out = step.out;
    writer_[step.out] = target;
    return true;
  }

  /// Moves a step to the end where `value` is computed after it. What it computes is read by nobody yet.
  std::size_t behind(ValueId value, std::size_t step) {
    if (writer_[value] == kNobody || writer_[value] < step) return step;
    moved_.resize(fused_.size(), false);
    moved_[step] = true;
    fused_.push_back(std::move(fused_[step]));
    return fused_.size() - 1;
  }

  Program& program_;
  std::vector<std::size_t> readers_;
  std::vector<std::size_t> writer_;  ///< of a value: its step in fused_
  std::vector<Step> fused_;
  std::vector<bool> moved_;
};

}  // namespace

void fuse(Program& program) {
  Fusion(program).run();
}

}  // namespace bitplane::engine
