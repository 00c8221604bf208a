// SPDX-License-Identifier: Apache-2.0
#include "runtime/step_info.h"

#include <string>
#include <vector>

#include "lowering/plane_operands.h"
#include "model/op_list.h"

namespace bitplane::engine {
namespace {

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

constexpr std::size_t kByteBits = 8;  // of the picture

struct Stored {
  std::size_t parameters = 0, bytes = 0;

  void add_floats(std::size_t count) {
    parameters += count;
    bytes += count * sizeof(float);
  }
  void add(const Basis& basis) {
    add_floats(std::visit(Overloaded{[](const UniformBasis& b) { return b.scale.size(); },
                                     [](const LearnedBasis& b) { return b.values.size(); }},
                          basis));
  }
  void add(const Weights& weights) {
    if (const auto* values = std::get_if<FloatWeights>(&weights)) return add_floats(values->values.size());
    if (const auto* codebook = std::get_if<CodebookWeights>(&weights)) {
      parameters += codebook->indices.rows * codebook->indices.k;
      bytes += codebook->indices.words.size() * sizeof(std::uint64_t);
      return add_floats(codebook->levels.size());
    }
    const auto& planes = std::get<PlaneWeights>(weights);
    parameters += planes.planes.rows * planes.planes.k;
    bytes += planes.planes.words.size() * sizeof(std::uint64_t);
    add(planes.basis);
    add_floats(planes.offset.size());
  }
};

/// What the file holds for one node. Codes of ranks count their bytes but are no parameters.
Stored stored(const Operation& op) {
  Stored sum;
  std::visit(Overloaded{[&](const BatchNorm& bn) {
                          sum.add_floats(bn.mean.size() + bn.var.size() + bn.gamma.size() + bn.beta.size());
                        },
                        [&](const Quantize& quantize) {
                          sum.add(quantize.basis);
                          sum.add_floats(quantize.thresholds.size());
                          sum.bytes += quantize.code_of_rank.size();
                        },
                        [&](const auto& other) {
                          if constexpr (requires { other.weights; }) {
                            sum.add(other.weights);
                            sum.add_floats(other.bias.size());
                          }
                        }},
             op);
  return sum;
}

std::string op_of(const Step& step, const Operation& op) {
  if (step.kind == StepKind::PackRanks) return "pack";
  if (step.kind == StepKind::Repack) return "repack";
  return std::string(op_info(op).name);
}

InputShape input_shape(const NodeShape& shape) {
  return {shape.height, shape.width, shape.channels};
}

void describe_kernel(const Model::Impl& model, std::size_t index, const KernelChoice& kernels,
                     StepInfo& info) {
  const Step& step = model.program.steps[index];
  if (const kernels::LowBitKernel* planes = kernels.planes[index]; planes != nullptr) {
    info.kernel = planes->info.name;
    info.isa = kernels::isa_name(planes->info.isa);
  } else if (step.kind == StepKind::Convolution && info.activation_bits == kByteBits) {
    info.kernel = kernels::kernel_name(*kernels.bytes);
    info.isa = kernels::isa_name(kernels::kernel_isa(*kernels.bytes));
  } else if (step.kind == StepKind::Convolution && codebook_of(model.spec.nodes[step.node].op) != nullptr) {
    info.kernel = kernels.codebook->name;
    info.isa = kernels::isa_name(kernels.codebook->isa);
  } else if (step.kind == StepKind::Convolution) {
    info.kernel = kernels.f32->name;
    info.isa = kernels::isa_name(kernels.f32->isa);
  } else if (step.kind == StepKind::Elementwise || step.kind == StepKind::PackRanks) {
    info.kernel = kernels.epilogue->name;
    info.isa = kernels::isa_name(kernels.epilogue->isa);
  } else {
    info.kernel = "common";
    info.isa = kernels::isa_name(kernels::Isa::Scalar);
  }
}

void describe_work(const Model::Impl& model, const Step& step, StepInfo& info) {
  if (step.kind != StepKind::Convolution) return;
  info.macs = convolution_shape(model.spec, model.program, step).macs();
  const Operation& op = model.spec.nodes[step.node].op;
  if (const CodebookWeights* codebook = codebook_of(op); codebook != nullptr) {
    info.weight_bits = codebook->indices.planes;
  }
  const auto* planes = std::get_if<PlaneWeights>(&weights_of(op));
  if (planes == nullptr) return;
  info.weight_bits = planes->planes.planes;
  info.bit_operations = info.macs * info.weight_bits * info.activation_bits;
}

/// Which nodes' parameters were counted: one that shows in several steps (a quantizer behind a pool or a
/// concatenation) counts in the first.
using Counted = std::vector<bool>;

StepInfo describe(const Model::Impl& model, std::size_t index, const KernelChoice& kernels,
                  Counted& counted) {
  const Program& program = model.program;
  const Step& step = program.steps[index];
  StepInfo info;
  for (const std::size_t node : step.nodes) {
    const Node& n = model.spec.nodes[node];
    info.name += (info.name.empty() ? "" : "+") + n.name;
    if (counted[node]) continue;
    counted[node] = true;
    const Stored s = stored(n.op);
    info.parameters += s.parameters;
    info.parameter_bytes += s.bytes;
  }
  info.op = op_of(step, model.spec.nodes[step.node].op);
  info.in = input_shape(step.in_shape);
  info.out = input_shape(program.values[step.out].shape);
  for (const std::size_t channels : step.channels) info.in.channels += channels;
  if (!step.channels.empty()) info.in.channels -= step.in_shape.channels;
  info.activation_bits = program.values[step.in].bits;
  if (convolves_bytes(model.spec, step)) info.activation_bits = kByteBits;
  info.out_bits = program.values[step.out].bits;
  info.constant_channels = step.constant_channels;
  describe_kernel(model, index, kernels, info);
  describe_work(model, step, info);
  return info;
}

}  // namespace

std::vector<StepInfo> describe_steps(const Model::Impl& model, const KernelChoice& kernels) {
  std::vector<StepInfo> steps;
  StepInfo input;
  input.name = "input";
  input.op = "preprocess";
  input.kernel = "common";
  input.isa = kernels::isa_name(kernels::Isa::Scalar);
  input.in = input.out = input_shape(model.program.values[kInputValue].shape);
  input.activation_bits = kByteBits;
  if (model.program.preprocesses) steps.push_back(input);
  Counted counted(model.spec.nodes.size(), false);
  for (std::size_t s = 0; s < model.program.steps.size(); ++s) {
    steps.push_back(describe(model, s, kernels, counted));
  }
  return steps;
}

}  // namespace bitplane::engine
