// SPDX-License-Identifier: Apache-2.0
#include <limits>
#include <utility>

#include "lowering/passes.h"
#include "lowering/stages.h"

namespace bitplane::engine {

bool can_append(const Stages& first, const Stages& second) noexcept {
  if (first.quantize) return false;
  if (second.affine && (first.affine || first.relu)) return false;
  return !(second.relu && first.relu);
}

void append(Stages& first, Stages&& second) {
  if (second.affine) first.affine = std::move(second.affine);
  first.relu |= second.relu;
  if (!second.quantize) return;
  first.quantize = std::move(second.quantize);
  if (!first.relu) return;
  // A ReLU's output is never below 0: a negative threshold is always passed.
  for (float& t : first.quantize->thresholds) {
    if (t < 0.0F) t = -std::numeric_limits<float>::infinity();
  }
}

void fuse(Program& program) {
  const std::vector<std::size_t> readers = count_readers(program);
  constexpr std::size_t kNobody = static_cast<std::size_t>(-1);
  std::vector<std::size_t> writer(program.values.size(), kNobody);  // a value's step in `fused`
  std::vector<Step> fused;
  for (Step& step : program.steps) {
    const std::size_t before = writer[step.in];
    if (step.kind == StepKind::Elementwise && before != kNobody && readers[step.in] == 1 &&
        sees_value_shape(program, step)) {
      Step& target = fused[before];
      const bool has_stages = target.kind == StepKind::Convolution || target.kind == StepKind::Elementwise;
      if (has_stages && can_append(target.stages, step.stages)) {
        append(target.stages, std::move(step.stages));
        for (const std::size_t node : step.nodes) {
          if (target.nodes.back() != node) target.nodes.push_back(node);
        }
        target.out = step.out;
        writer[step.out] = before;
        continue;
      }
    }
    writer[step.out] = fused.size();
    fused.push_back(std::move(step));
  }
  program.steps = std::move(fused);
}

}  // namespace bitplane::engine
