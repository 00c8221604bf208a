// SPDX-License-Identifier: Apache-2.0
#include "lowering/program_text.h"

#include <algorithm>
#include <string_view>

#include "io/no_throw.h"
#include "lowering/passes.h"
#include "lowering/plan_arena.h"

namespace bitplane::engine {
namespace {

std::string_view kind_name(StepKind kind) {
  switch (kind) {
    case StepKind::Convolution:
      return "convolution";
    case StepKind::Elementwise:
      return "elementwise";
    case StepKind::MaxPool:
      return "max_pool";
    case StepKind::AveragePool:
      return "average_pool";
    case StepKind::GlobalAverage:
      return "global_average";
    case StepKind::Shortcut:
      return "shortcut";
    case StepKind::LocalResponse:
      return "lrn";
    case StepKind::Softmax:
      return "softmax";
    case StepKind::Dequantize:
      return "dequantize";
    case StepKind::Concat:
      return "concat";
    case StepKind::PackRanks:
      return "pack_ranks";
    case StepKind::Repack:
      return "repack";
  }
  return "";
}

std::string value_name(ValueId id) {
  return "%" + std::to_string(id);
}

/// "%3: 14x14x32 planes, 2 bits"
std::string value_text(const Program& program, ValueId id) {
  const Value& value = program.values[id];
  std::string text = value_name(id) + ": " + std::to_string(value.shape.height) + "x" +
                     std::to_string(value.shape.width) + "x" + std::to_string(value.shape.channels);
  switch (value.form) {
    case ValueForm::Float:
      return text + " floats";
    case ValueForm::Ranks:
      return text + " ranks of " + std::to_string(value.bits) + " bits";
    case ValueForm::Planes:
      text += " planes, " + std::to_string(value.bits) + (value.bits == 1 ? " bit" : " bits");
      if (value.groups > 1) text += ", " + std::to_string(value.groups) + " groups";
      return text;
  }
  return text;
}

/// Does it change anything?
bool changes(const Affine& affine) {
  return std::any_of(affine.scale.begin(), affine.scale.end(), [](float g) { return g != 1.0F; }) ||
         std::any_of(affine.shift.begin(), affine.shift.end(), [](float h) { return h != 0.0F; });
}

std::string affine_text(const std::optional<Affine>& affine) {
  return affine && changes(*affine) ? " | fma(., g, h)" : "";
}

/// The element-wise end of a step, in the order in which it is applied.
std::string stages_text(const Program& program, const Step& step) {
  const Stages& stages = step.stages;
  std::string text;
  if (step.integers && stages.quantize->thresholds.size() <= 1) {
    return " | " + std::to_string(stages.quantize->thresholds.size()) +
           " thresholds per channel on the integer sums";
  }
  text += affine_text(stages.affine);
  if (stages.residual) text += " | + " + value_name(*stages.residual);
  if (stages.floats) {
    text += std::string(" | store ") + (stages.floats->relu == Rectified::Yes ? "relu as " : "as ") +
            value_text(program, stages.floats->value);
  }
  text += affine_text(stages.after);
  if (stages.relu) text += " | relu";
  if (stages.quantize) text += " | " + std::to_string(stages.quantize->thresholds.size()) + " thresholds";
  if (step.integers) text += " (or per channel on the integer sums, where the kernel prefers them)";
  return text;
}

std::string step_text(const ModelSpec& spec, const Program& program, const Step& step) {
  std::string text(kind_name(step.kind));
  for (const std::size_t node : step.nodes)
    text += (node == step.nodes.front() ? " [" : " ") + spec.nodes[node].name;
  text += "]  ";
  const std::vector<ValueId> read = step.parts.empty() ? std::vector<ValueId>{step.in} : step.parts;
  for (const ValueId id : read) text += (id == read.front() ? "" : ", ") + value_name(id);
  text += stages_text(program, step);
  if (step.pool) text += " | largest of each window";
  if (std::count(step.minimum.begin(), step.minimum.end(), 0) !=
      static_cast<std::ptrdiff_t>(step.minimum.size())) {
    text += " | minimum where g < 0";
  }
  if (step.constant_channels > 0)
    text += " | " + std::to_string(step.constant_channels) + " constant channels";
  return text + "  ->  " + value_text(program, step.out);
}

std::string arena_text(const Program& program) {
  const std::vector<Lifetime> lives = lifetimes(program, 1);
  const ArenaPlan plan = plan_arena(lives);
  std::string text = std::to_string(plan.bytes) + " bytes for a batch of 1\n";
  for (ValueId id = 0; id < program.values.size(); ++id) {
    if (lives[id].bytes == 0) continue;
    text += value_text(program, id) + "  bytes " + std::to_string(plan.offsets[id]) + " to " +
            std::to_string(plan.offsets[id] + lives[id].bytes) + ", steps " +
            std::to_string(lives[id].first) + " to " + std::to_string(lives[id].last) + "\n";
  }
  return text;
}

}  // namespace

std::string program_text(const ModelSpec& spec, const Program& program) {
  std::string text;
  for (std::size_t s = 0; s < program.steps.size(); ++s)
    text += std::to_string(s) + "  " + step_text(spec, program, program.steps[s]) + "\n";
  return text;
}

Result<std::vector<PassText>> lowering_text(const ModelSpec& spec) {
  return no_throw([&]() -> Result<std::vector<PassText>> {
    const Result<std::vector<NodeShape>> shapes = validate(spec);
    if (!shapes.ok()) return shapes.status();
    std::vector<PassText> texts;
    const Result<Program> program =
        lower(spec, shapes.value(), [&](std::string_view pass, const Program& seen) {
          texts.push_back({std::string(pass), seen.steps.size(), program_text(spec, seen)});
        });
    if (!program.ok()) return program.status();
    texts.push_back({"plan_arena", program->steps.size(), arena_text(program.value())});
    return texts;
  });
}

}  // namespace bitplane::engine
