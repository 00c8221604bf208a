// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lowering/fold.h"
#include "lowering/passes.h"

namespace bitplane::engine {
namespace {

constexpr std::size_t kPicture = static_cast<std::size_t>(-1);
constexpr ValueId kNone = static_cast<ValueId>(-1);
constexpr std::size_t kMostNestedParts = 64;

/// What the pass knows of one node.
struct Facts {
  std::vector<std::size_t> sources;    ///< the nodes it reads
  std::size_t convolution = kPicture;  ///< whose z it passes on, pooled or not; kPicture: nobody's
  bool need_z = false, need_output = false;
  ValueId z = kNone, output = kNone;
};

/// Nodes that hand the z of a convolution on, besides its output: BN works on it.
bool passes_z_on(const Operation& op) {
  return std::holds_alternative<MaxPool>(op) || std::holds_alternative<Identity>(op);
}

std::optional<StepKind> kind_without_stages(const Operation& op) {
  if (std::holds_alternative<GlobalAveragePool>(op)) return StepKind::GlobalAverage;
  if (std::holds_alternative<AveragePool>(op)) return StepKind::AveragePool;
  if (std::holds_alternative<ZeroChannelShortcut>(op)) return StepKind::Shortcut;
  if (std::holds_alternative<LocalResponseNorm>(op)) return StepKind::LocalResponse;
  if (std::holds_alternative<Softmax>(op)) return StepKind::Softmax;
  if (std::holds_alternative<Dequantize>(op)) return StepKind::Dequantize;
  return std::nullopt;
}

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
      for (const std::string& name : node.inputs) {
        const auto found = index.find(name);
        add_source(facts, node.op, found == index.end() ? kPicture : found->second);
      }
      if (has_weights(node.op)) {
        facts.convolution = n;
      } else if (passes_z_on(node.op) && source_of(n) != kPicture) {
        facts.convolution = facts_[source_of(n)].convolution;
      }
      index.emplace(node.name, n);
    }
    output_node_ = index.at(spec_.output);
  }

  /// A concatenation of a concatenation reads the parts themselves: in a dense block nothing is copied twice.
  /// Up to a number of parts, so that a graph's parts stay in proportion to its nodes.
  void add_source(Facts& facts, const Operation& op, std::size_t source) {
    const bool nested = std::holds_alternative<Concat>(op) && source != kPicture &&
                        std::holds_alternative<Concat>(spec_.nodes[source].op) &&
                        facts_[source].sources.size() <= kMostNestedParts;
    if (!nested) return facts.sources.push_back(source);
    const std::vector<std::size_t>& parts = facts_[source].sources;
    facts.sources.insert(facts.sources.end(), parts.begin(), parts.end());
  }

  void demand() {
    facts_[output_node_].need_output = true;
    for (std::size_t n = facts_.size(); n-- > 0;) {
      const Facts& facts = facts_[n];
      if (!facts.need_z && !facts.need_output) continue;
      const Operation& op = spec_.nodes[n].op;
      for (const std::size_t s : facts.sources) {
        if (s == kPicture) continue;
        Facts& source = facts_[s];
        if (std::holds_alternative<BatchNorm>(op) && source.convolution != kPicture) {
          source.need_z = true;
        } else if (passes_z_on(op)) {
          source.need_z |= facts.need_z;
          source.need_output |= facts.need_output;
        } else {
          source.need_output = true;
        }
      }
    }
  }

  Status emit(std::size_t n) {
    Facts& facts = facts_[n];
    if (!facts.need_z && !facts.need_output) return {};
    const Operation& op = spec_.nodes[n].op;
    if (has_weights(op)) return emit_convolution(n);
    if (std::holds_alternative<MaxPool>(op)) {
      if (facts.need_z) facts.z = add_step(n, StepKind::MaxPool, facts_[source_of(n)].z);
      if (facts.need_output) facts.output = add_step(n, StepKind::MaxPool, input_of(n));
    } else if (std::holds_alternative<Identity>(op)) {
      if (facts.need_z) facts.z = facts_[source_of(n)].z;
      if (facts.need_output) facts.output = input_of(n);
    } else if (std::holds_alternative<Flatten>(op)) {
      facts.output = input_of(n);
    } else if (const auto* bn = std::get_if<BatchNorm>(&op)) {
      emit_batch_norm(n, *bn);
    } else if (const auto* quantize = std::get_if<Quantize>(&op)) {
      emit_quantize(n, *quantize);
    } else if (std::holds_alternative<Relu>(op)) {
      facts.output = add_step(n, StepKind::Elementwise, input_of(n));
      program_.steps.back().stages.relu = true;
    } else if (std::holds_alternative<Add>(op)) {
      facts.output = add_step(n, StepKind::Elementwise, input_of(n));
      program_.steps.back().stages.residual = input_of(n, 1);
    } else if (std::holds_alternative<Concat>(op)) {
      emit_concat(n);
    } else {
      facts.output = add_step(n, *kind_without_stages(op), input_of(n));
    }
    return {};
  }

  void emit_concat(std::size_t n) {
    Facts& facts = facts_[n];
    if (facts.sources.size() == 1) {
      facts.output = input_of(n);
      return;
    }
    facts.output = add_step(n, StepKind::Concat, input_of(n));
    Step& step = program_.steps.back();
    for (std::size_t i = 0; i < facts.sources.size(); ++i) {
      step.parts.push_back(input_of(n, i));
      step.channels.push_back(source_shape(n, i).channels);
    }
  }

  Status emit_convolution(std::size_t n) {
    Facts& facts = facts_[n];
    const Operation& op = spec_.nodes[n].op;
    const ValueId in = input_of(n);
    const bool flattened_codes = holds_codes(in) && !(source_shape(n) == program_.values[in].shape);
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
    const std::size_t source = source_of(n);
    const std::size_t base = source == kPicture ? kPicture : facts_[source].convolution;
    if (base == kPicture) {
      facts.output = add_affine(n, input_of(n), fold(plain_tail(bn.mean.size()), bn));
      return;
    }
    const Quantize* quantizer = quantizer_of(input_of(base));
    const ConvolutionTail tail = convolution_tail(spec_.nodes[base].op, bn.mean.size(), quantizer);
    facts.output = add_affine(n, facts_[source].z, fold(tail, bn));
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
    step.in_shape = source_shape(n);
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

  [[nodiscard]] std::size_t source_of(std::size_t n, std::size_t i = 0) const { return facts_[n].sources[i]; }
  [[nodiscard]] const NodeShape& source_shape(std::size_t n, std::size_t i = 0) const {
    const std::size_t source = source_of(n, i);
    return source == kPicture ? program_.values[kInputValue].shape : shapes_[source];
  }
  [[nodiscard]] ValueId input_of(std::size_t n, std::size_t i = 0) const {
    const std::size_t source = source_of(n, i);
    return source == kPicture ? kInputValue : facts_[source].output;
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
