// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "lowering/program.h"

namespace bitplane::engine::reference {

inline std::string kind_name(StepKind kind) {
  switch (kind) {
    case StepKind::Convolution:
      return "conv";
    case StepKind::Elementwise:
      return "elementwise";
    case StepKind::MaxPool:
      return "pool";
    case StepKind::PackRanks:
      return "pack";
    case StepKind::AveragePool:
    case StepKind::GlobalAverage:
      return "average";
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
    case StepKind::Repack:
      return "repack";
  }
  return "?";
}

/// Kinds and output forms, e.g. "conv:planes pool:float"; "conv:planes+float" writes both.
inline std::string plan_of(const Program& program) {
  static constexpr std::string_view kForms[] = {"float", "ranks", "planes"};
  std::string text;
  for (const Step& step : program.steps) {
    text += (text.empty() ? "" : " ") + kind_name(step.kind) + ":" +
            std::string(kForms[static_cast<std::size_t>(program.values[step.out].form)]) +
            (step.stages.floats ? "+float" : "");
  }
  return text;
}

}  // namespace bitplane::engine::reference
