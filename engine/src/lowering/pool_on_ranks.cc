// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "lowering/passes.h"
#include "lowering/stages.h"

namespace bitplane::engine {
namespace {

/// The steps of the pattern, as indices into Program::steps.
struct Match {
  std::size_t convolution, pool, quantizer;
};

bool matches(const Program& program, const Match& match) {
  const Step& convolution = program.steps[match.convolution];
  const Step& pool = program.steps[match.pool];
  const Step& quantizer = program.steps[match.quantizer];
  return convolution.kind == StepKind::Convolution && pool.kind == StepKind::MaxPool &&
         sees_value_shape(program, pool) && sees_value_shape(program, quantizer) &&
         quantizer.kind == StepKind::Elementwise && quantizer.stages.quantize &&
         // What a sum adds has the pixels of the pooled map, and it is not pooled.
         !quantizer.stages.residual && can_append(convolution.stages, quantizer.stages);
}

void rewrite(Program& program, const Match& match) {
  Step& convolution = program.steps[match.convolution];
  Step& pool = program.steps[match.pool];
  Step& quantizer = program.steps[match.quantizer];
  const std::size_t node = quantizer.stages.quantize->node;
  pool.minimum = falling_channels(quantizer.stages, program.values[pool.out].shape.channels);
  append(convolution.stages, std::move(quantizer.stages));
  for (const ValueId id : {convolution.out, pool.out}) {
    Value& value = program.values[id];
    value.form = ValueForm::Ranks;
    value.bits = program.values[quantizer.out].bits;
    value.quantizer = node;
  }
  convolution.nodes.insert(convolution.nodes.end(), quantizer.nodes.begin(), quantizer.nodes.end());
  quantizer.kind = StepKind::PackRanks;
  quantizer.node = node;
  quantizer.nodes = {node};
  quantizer.stages = {};
}

}  // namespace

std::vector<std::uint8_t> falling_channels(const Stages& stages, std::size_t channels) {
  std::vector<std::uint8_t> falling(channels, 0);
  for (const std::optional<Affine>* affine : {&stages.affine, &stages.after}) {
    if (!*affine) continue;
    for (std::size_t c = 0; c < channels; ++c) {
      if ((*affine)->scale[c] < 0.0F) falling[c] = falling[c] == 0 ? 1 : 0;
    }
  }
  return falling;
}

void pool_on_ranks(Program& program) {
  const std::vector<std::size_t> readers = count_readers(program);
  std::vector<std::size_t> writer(program.values.size(), 0);
  for (std::size_t s = 0; s < program.steps.size(); ++s) writer[program.steps[s].out] = s;
  for (std::size_t s = 0; s < program.steps.size(); ++s) {
    const ValueId pooled = program.steps[s].in;
    if (pooled == kInputValue || readers[pooled] != 1) continue;
    const std::size_t pool = writer[pooled];
    const ValueId z = program.steps[pool].in;
    if (z == kInputValue || readers[z] != 1) continue;
    const Match match{writer[z], pool, s};
    if (matches(program, match)) rewrite(program, match);
  }
}

}  // namespace bitplane::engine
