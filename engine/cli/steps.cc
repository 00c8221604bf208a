// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/steps.h"

#include "engine/cli/options.h"
#include "engine/cli/shared/number_text.h"

namespace bitplane::cli {
namespace {

constexpr std::size_t kFloatBits = 32;

std::string short_bits(std::size_t bits) {
  return bits == kFloatBits ? "f" : std::to_string(bits);
}

Json shape_json(const engine::InputShape& shape) {
  return {shape.height, shape.width, shape.channels};
}

/// Nothing is shown as a dash, so that the numbers that matter stand out.
std::string count_or_dash(std::size_t value) {
  return value == 0 ? "-" : short_count(static_cast<double>(value));
}

}  // namespace

std::string bits_text(std::size_t bits) {
  if (bits == kFloatBits) return "float";
  return std::to_string(bits) + (bits == 1 ? " bit" : " bits");
}

Table step_table(std::span<const engine::StepInfo> steps) {
  Table table({{"step"},
               {"op"},
               {"in"},
               {"out"},
               {"W/A>out"},
               {"parameters", Align::Right},
               {"bytes", Align::Right},
               {"MAC", Align::Right},
               {"bit-ops", Align::Right},
               {"kernel"}});
  for (const engine::StepInfo& step : steps) {
    table.add({step.name, step.op, shape_text(step.in), shape_text(step.out),
               (step.parameters == 0 ? "-" : short_bits(step.weight_bits)) + "/" +
                   short_bits(step.activation_bits) + ">" + short_bits(step.out_bits),
               count_or_dash(step.parameters),
               step.parameter_bytes == 0 ? "-" : short_bytes(step.parameter_bytes), count_or_dash(step.macs),
               count_or_dash(step.bit_operations), step.kernel});
  }
  return table;
}

Json step_json(const engine::StepInfo& step) {
  return {{"name", step.name},
          {"op", step.op},
          {"kernel", step.kernel},
          {"isa", step.isa},
          {"in", shape_json(step.in)},
          {"out", shape_json(step.out)},
          {"weight_bits", step.weight_bits},
          {"activation_bits", step.activation_bits},
          {"out_bits", step.out_bits},
          {"parameters", step.parameters},
          {"parameter_bytes", step.parameter_bytes},
          {"macs", step.macs},
          {"bit_operations", step.bit_operations},
          {"constant_channels", step.constant_channels}};
}

}  // namespace bitplane::cli
