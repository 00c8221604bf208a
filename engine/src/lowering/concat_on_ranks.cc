// SPDX-License-Identifier: Apache-2.0
#include <iterator>
#include <optional>
#include <utility>

#include "lowering/passes.h"
#include "lowering/stages.h"

namespace bitplane::engine {
namespace {

constexpr std::size_t kNobody = static_cast<std::size_t>(-1);

struct ChannelRange {
  std::size_t first = 0, count = 0;
};

std::vector<float> slice(const std::vector<float>& values, const ChannelRange& channels) {
  const auto first = values.begin() + static_cast<std::ptrdiff_t>(channels.first);
  return {first, first + static_cast<std::ptrdiff_t>(channels.count)};
}

Stages slice(const Stages& stages, const ChannelRange& channels) {
  Stages part = stages;
  if (part.affine) {
    part.affine = Affine{slice(stages.affine->scale, channels), slice(stages.affine->shift, channels)};
  }
  if (part.after) {
    part.after = Affine{slice(stages.after->scale, channels), slice(stages.after->shift, channels)};
  }
  return part;
}

class ConcatOnRanks {
 public:
  explicit ConcatOnRanks(Program& program)
      : program_(program), readers_(count_readers(program)), writer_(program.values.size(), kNobody) {}

  void run() {
    for (Step& step : program_.steps) {
      if (matches(step)) {
        rewrite(step);
      } else {
        for (const ValueId out : outputs_of(step)) writer_[out] = steps_.size();
        steps_.push_back(std::move(step));
      }
    }
    program_.steps.clear();
    for (std::size_t s = 0; s < steps_.size(); ++s) {
      if (removed_.size() <= s || !removed_[s]) program_.steps.push_back(std::move(steps_[s]));
    }
  }

 private:
  /// The step that computes its input, where it is of that kind and nobody else reads it.
  [[nodiscard]] std::size_t source_of(const Step& step, StepKind kind) const {
    const std::size_t source = writer_[step.in];
    const bool alone = source != kNobody && steps_[source].kind == kind && readers_[step.in] == 1 &&
                       sees_value_shape(program_, step);
    return alone ? source : kNobody;
  }

  /// The max-pooling between the concatenation and the quantizer, if there is one.
  [[nodiscard]] std::size_t pool_of(const Step& quantizer) const {
    return source_of(quantizer, StepKind::MaxPool);
  }
  [[nodiscard]] std::size_t concat_of(const Step& quantizer) const {
    const std::size_t pool = pool_of(quantizer);
    return source_of(pool == kNobody ? quantizer : steps_[pool], StepKind::Concat);
  }

  /// Is it a quantizer of a concatenation, pooled or not, that nobody else reads?
  [[nodiscard]] bool matches(const Step& step) const {
    return step.kind == StepKind::Elementwise && step.stages.quantize && !step.stages.residual &&
           concat_of(step) != kNobody;
  }

  Step take(std::size_t step) {
    if (removed_.size() <= step) removed_.resize(step + 1, false);
    removed_[step] = true;
    return std::move(steps_[step]);
  }

  void rewrite(Step& quantizer) {
    const std::size_t pool = pool_of(quantizer), concat = concat_of(quantizer);
    Step pack = take(concat);
    std::optional<Step> pooling;
    if (pool != kNobody) pooling = take(pool);
    ChannelRange channels;
    for (std::size_t i = 0; i < pack.parts.size(); ++i) {
      channels.count = pack.channels[i];
      const Stages stages = slice(quantizer.stages, channels);
      pack.parts[i] = rank_part(pack, i, Stages(stages), quantizer);
      if (pooling)
        pack.parts[i] = pool_part(*pooling, pack.parts[i], falling_channels(stages, channels.count));
      channels.first += channels.count;
    }
    if (pooling) pack.in_shape = program_.values[pack.parts.front()].shape;
    pack.kind = StepKind::PackRanks;
    pack.node = quantizer.stages.quantize->node;
    add_nodes(pack.nodes, {pack.node});
    pack.in = pack.parts.front();
    pack.out = quantizer.out;
    writer_[pack.out] = steps_.size();
    steps_.push_back(std::move(pack));
  }

  /// Ranks of a part, pooled: of the largest rank, or the smallest where the stages fall.
  ValueId pool_part(const Step& pooling, ValueId part, std::vector<std::uint8_t> minimum) {
    const NodeShape whole = program_.values[pooling.out].shape;
    Value ranks = program_.values[part];
    Step step = pooling;
    step.in = part;
    step.in_shape = ranks.shape;
    step.minimum = std::move(minimum);
    ranks.shape = {whole.height, whole.width, ranks.shape.channels};
    step.out = add_value(ranks);
    writer_[step.out] = steps_.size();
    steps_.push_back(std::move(step));
    return steps_.back().out;
  }

  ValueId add_value(const Value& value) {
    writer_.push_back(kNobody);
    readers_.push_back(1);
    return program_.add_value(value);
  }

  /// The ranks of one part: written by the step that computes it, or by a new one.
  ValueId rank_part(const Step& pack, std::size_t i, Stages&& stages, const Step& quantizer) {
    const ValueId part = pack.parts[i];
    const std::size_t source = writer_[part];
    const NodeShape shape{pack.in_shape.height, pack.in_shape.width, pack.channels[i]};
    const bool alone = source != kNobody && readers_[part] == 1 && has_stages(steps_[source]) &&
                       program_.values[part].shape == shape && can_append(steps_[source].stages, stages);
    Value ranks{.form = ValueForm::Ranks, .shape = shape};
    ranks.bits = program_.values[quantizer.out].bits;
    ranks.quantizer = stages.quantize->node;
    const ValueId out = add_value(ranks);
    if (alone) {
      append(steps_[source].stages, std::move(stages));
      add_nodes(steps_[source].nodes, quantizer.nodes);
      steps_[source].out = out;
      writer_[out] = source;
      return out;
    }
    Step step;
    step.node = quantizer.node;
    step.nodes = quantizer.nodes;
    step.in = part;
    step.out = out;
    step.in_shape = shape;
    step.stages = std::move(stages);
    writer_[out] = steps_.size();
    steps_.push_back(std::move(step));
    return out;
  }

  Program& program_;
  std::vector<std::size_t> readers_, writer_;  ///< of a value: readers, its step in steps_
  std::vector<Step> steps_;
  std::vector<bool> removed_;
};

}  // namespace

void concat_on_ranks(Program& program) {
  ConcatOnRanks(program).run();
}

}  // namespace bitplane::engine
