// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <string>

#include "lowering/fold.h"
#include "lowering/passes.h"

namespace bitplane::engine {
namespace {

constexpr std::size_t kPicture = static_cast<std::size_t>(-1);
constexpr ValueId kNone = static_cast<ValueId>(-1);

/// What the pass knows of one node.
struct Facts {
  std::size_t source = kPicture;       ///< the node it reads
  std::size_t convolution = kPicture;  ///< whose z it passes on, pooled or not; kPicture: nobody's
  bool need_z = false, need_output = false;
  ValueId z = kNone, output = kNone;
};

class Expansion {
 public:
  Expansion(const ModelSpec& spec, std::span<const NodeShape> shapes)
      : spec_(spec), shapes_(shapes), facts_(spec.nodes.size()) {}

  Result<Program> run() {
    connect();
    demand();
    const InputSpec& input = spec_.input;
    program_.values.push_back({.shape = {input.height, input.width, input.channels}});
    for (std::size_t n = 0; n < facts_.size(); ++n) {
      if (Status status = emit(n); !status.ok()) return status;
    }
    program_.output = facts_[output_node_].output;
    if (program_.output == kInputValue) return unsupported(output_node_, "a model whose output is its input");
    return std::move(program_);
  }

 private:
  void connect() {
    std::map<std::string, std::size_t, std::less<>> index;
    for (std::size_t n = 0; n < facts_.size(); ++n) {
      const Node& node = spec_.nodes[n];
      Facts& facts = facts_[n];
      const auto source = index.find(node.inputs.front());
      facts.source = source == index.end() ? kPicture : source->second;
      if (has_weights(node.op)) {
        facts.convolution = n;
      } else if (std::holds_alternative<MaxPool>(node.op) && facts.source != kPicture) {
        facts.convolution = facts_[facts.source].convolution;
      }
      index.emplace(node.name, n);
    }
    output_node_ = index.at(spec_.output);
  }

  void demand() {
    facts_[output_node_].need_output = true;
    for (std::size_t n = facts_.size(); n-- > 0;) {
      Facts& facts = facts_[n];
      const Operation& op = spec_.nodes[n].op;
      if (facts.source == kPicture || !(facts.need_z || facts.need_output)) continue;
      Facts& source = facts_[facts.source];
      if (std::holds_alternative<BatchNorm>(op) && source.convolution != kPicture) {
        source.need_z = true;
      } else if (std::holds_alternative<MaxPool>(op)) {
        source.need_z |= facts.need_z;
        source.need_output |= facts.need_output;
      } else {
        source.need_output = true;
      }
    }
  }

  Status emit(std::size_t n) {
    Facts& facts = facts_[n];
    if (!facts.need_z && !facts.need_output) return {};
    const Operation& op = spec_.nodes[n].op;
    if (has_weights(op)) return emit_convolution(n);
    if (std::holds_alternative<MaxPool>(op)) {
      if (facts.need_z) facts.z = add_step(n, StepKind::MaxPool, facts_[facts.source].z);
      if (facts.need_output) facts.output = add_step(n, StepKind::MaxPool, input_of(n));
      return {};
    }
    if (std::holds_alternative<Flatten>(op)) {
      facts.output = input_of(n);
      return {};
    }
    if (const auto* bn = std::get_if<BatchNorm>(&op)) {
      emit_batch_norm(n, *bn);
    } else if (const auto* quantize = std::get_if<Quantize>(&op)) {
      emit_quantize(n, *quantize);
    } else if (std::holds_alternative<Relu>(op)) {
      facts.output = add_step(n, StepKind::Elementwise, input_of(n));
      program_.steps.back().stages.relu = true;
    } else {
      facts.output = add_step(n, StepKind::GlobalAverage, input_of(n));
    }
    return {};
  }

  Status emit_convolution(std::size_t n) {
    Facts& facts = facts_[n];
    const Operation& op = spec_.nodes[n].op;
    const ValueId in = input_of(n);
    const bool flattened_codes = holds_codes(in) && !(shapes_[facts.source] == program_.values[in].shape);
    if (flattened_codes && std::holds_alternative<Conv2d>(op)) {
      return unsupported(n, "conv2d behind a flattened map of codes; use linear");
    }
    facts.z = add_step(n, StepKind::Convolution, in);
    if (!facts.need_output) return {};
    Affine affine = fold(convolution_tail(op, shapes_[n].channels, quantizer_of(in)));
    facts.output = is_identity(affine) ? facts.z : add_affine(n, facts.z, std::move(affine));
    return {};
  }

  void emit_batch_norm(std::size_t n, const BatchNorm& bn) {
    Facts& facts = facts_[n];
    const std::size_t base = facts.source == kPicture ? kPicture : facts_[facts.source].convolution;
    if (base == kPicture) {
      facts.output = add_affine(n, input_of(n), fold(plain_tail(bn.mean.size()), bn));
      return;
    }
    const Quantize* quantizer = quantizer_of(input_of(base));
    const ConvolutionTail tail = convolution_tail(spec_.nodes[base].op, bn.mean.size(), quantizer);
    facts.output = add_affine(n, facts_[facts.source].z, fold(tail, bn));
  }

  void emit_quantize(std::size_t n, const Quantize& quantize) {
    const ValueId in = input_of(n);
    facts_[n].output = add_step(n, StepKind::Elementwise, in);
    program_.steps.back().stages.quantize = QuantizeStage{n, quantize.thresholds};
    Value& codes = program_.values.back();
    codes.form = ValueForm::Planes;
    codes.bits = quantize.bits;
    codes.quantizer = n;
    codes.encoding = quantize.encoding == PlaneEncoding::Bipolar ? kernels::Encoding::Bipolar
                                                                 : kernels::Encoding::Unsigned;
    program_.quantizers.push_back(n);
  }

  ValueId add_step(std::size_t n, StepKind kind, ValueId in) {
    const ValueId out = program_.add_value({.shape = shapes_[n]});
    Step step;
    step.kind = kind;
    step.node = n;
    step.nodes = {n};
    step.in = in;
    step.out = out;
    const std::size_t source = facts_[n].source;
    step.in_shape = source == kPicture ? program_.values[kInputValue].shape : shapes_[source];
    // Also where it reads the z of its own node, whose source has another shape.
    if (kind == StepKind::Elementwise) step.in_shape = shapes_[n];
    program_.steps.push_back(std::move(step));
    return out;
  }

  ValueId add_affine(std::size_t n, ValueId in, Affine affine) {
    const ValueId out = add_step(n, StepKind::Elementwise, in);
    program_.steps.back().stages.affine = std::move(affine);
    return out;
  }

  [[nodiscard]] ValueId input_of(std::size_t n) const {
    return facts_[n].source == kPicture ? kInputValue : facts_[facts_[n].source].output;
  }
  [[nodiscard]] bool holds_codes(ValueId value) const {
    return program_.values[value].form == ValueForm::Planes;
  }
  [[nodiscard]] const Quantize* quantizer_of(ValueId value) const {
    return holds_codes(value) ? &std::get<Quantize>(spec_.nodes[program_.values[value].quantizer].op)
                              : nullptr;
  }
  [[nodiscard]] Status unsupported(std::size_t n, const std::string& what) const {
    return {StatusCode::Unsupported, "node '" + spec_.nodes[n].name + "': this engine cannot run " + what};
  }

  const ModelSpec& spec_;
  std::span<const NodeShape> shapes_;
  std::vector<Facts> facts_;
  std::size_t output_node_ = 0;
  Program program_;
};

}  // namespace

Result<Program> expand(const ModelSpec& spec, std::span<const NodeShape> shapes) {
  return Expansion(spec, shapes).run();
}

}  // namespace bitplane::engine
