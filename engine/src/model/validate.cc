// SPDX-License-Identifier: Apache-2.0
//
// The door: whatever passes here, the rest of the engine takes for granted.
#include <cmath>
#include <string>
#include <unordered_map>
#include <vector>

#include "bitplane/model_spec.h"
#include "io/no_throw.h"
#include "io/text.h"
#include "model/checks.h"
#include "model/describe_model.h"
#include "model/limits.h"
#include "model/node_fact.h"
#include "model/op_list.h"

namespace bitplane::engine {
namespace {

Status invalid(std::string message) {
  return {StatusCode::InvalidArgument, std::move(message)};
}

/// The preprocessing's coefficients must be floats: docs/BITPLANES.md, "Normative arithmetic", 1.
void check_preprocessing(Checks& checks, const InputSpec& input) {
  for (std::size_t c = 0; c < input.std.size(); ++c) {
    const double mean = input.mean[c], deviation = input.std[c];
    if (deviation > 0 && std::isfinite(static_cast<float>(1.0 / (255.0 * deviation))) &&
        std::isfinite(static_cast<float>(-mean / deviation))) {
      continue;
    }
    return checks.fail("std[" + std::to_string(c) + "] is " + number_text(input.std[c]) + " and mean " +
                       number_text(input.mean[c]) + "; 1 / (255 std) and mean / std must be finite, std > 0");
  }
}

Status check_input(const InputSpec& input) {
  Checks checks;
  checks.shape("input", {input.height, input.width, input.channels});
  checks.size("input: mean", input.mean.size(), input.channels);
  checks.size("input: std", input.std.size(), input.channels);
  checks.finite("input: mean", input.mean);
  checks.finite("input: std", input.std);
  if (checks.ok()) check_preprocessing(checks, input);
  return checks.status();
}

Status check_name(std::string_view what, std::string_view name) {
  const std::string where = std::string(what) + ' ' + in_quotes(name);
  if (has_control_characters(name)) return invalid(where + " holds control characters");
  if (name.size() > kMaxNameBytes) {
    return invalid(where + " has " + std::to_string(name.size()) + " bytes; allowed are " +
                   std::to_string(kMaxNameBytes));
  }
  return {};
}

/// Follows the nodes in order, so that an input can only be something earlier: a cycle cannot be written
/// down.
class GraphCheck {
 public:
  explicit GraphCheck(const ModelSpec& spec) : spec_(spec) {
    for (std::size_t i = 0; i < spec.nodes.size(); ++i) positions_.emplace(spec.nodes[i].name, i);
  }

  Result<std::vector<NodeShape>> run() {
    if (spec_.nodes.empty()) return invalid("the model has no nodes");
    if (spec_.nodes.size() > kMaxNodes) {
      return invalid("the model has " + std::to_string(spec_.nodes.size()) + " nodes; allowed are " +
                     std::to_string(kMaxNodes));
    }
    for (std::size_t i = 0; i < spec_.nodes.size(); ++i) {
      if (Status status = check_node(i); !status.ok()) return status;
    }
    if (Status status = check_output(); !status.ok()) return status;
    std::vector<NodeShape> shapes;
    for (const NodeFact& fact : facts_) shapes.push_back(fact.shape);
    return shapes;
  }

 private:
  Status check_node(std::size_t index) {
    const Node& node = spec_.nodes[index];
    const OpInfo& op = op_info(node.op);
    const std::string where = "node " + in_quotes(node.name) + " (" + std::string(op.name) + "): ";
    if (Status status = check_node_name(index); !status.ok()) return status;
    if (node.inputs.size() < op.inputs || node.inputs.size() > op.most_inputs) {
      return invalid(where + "has " + std::to_string(node.inputs.size()) + " inputs; it must have " +
                     std::to_string(op.inputs) + (op.most_inputs > op.inputs ? " or more" : ""));
    }
    std::vector<NodeFact> inputs;
    for (const std::string& name : node.inputs) {
      Result<NodeFact> input = input_fact(name, index);
      if (!input.ok()) return {input.status().code(), where + input.status().message()};
      inputs.push_back(input.value());
    }
    const Result<NodeFact> fact = op.check(node.op, inputs);
    if (!fact.ok()) return {fact.status().code(), where + fact.status().message()};
    facts_.push_back(fact.value());
    used_.push_back(false);
    return {};
  }

  Status check_node_name(std::size_t index) {
    const std::string& name = spec_.nodes[index].name;
    if (name.empty()) return invalid("node " + std::to_string(index) + " has no name");
    if (Status status = check_name("node name", name); !status.ok()) return status;
    if (name == kInputName || name == kGoldenName) {
      return invalid("node name " + in_quotes(name) + " is reserved: choose another");
    }
    if (positions_.at(name) != index) return invalid("node name " + in_quotes(name) + " stands twice");
    return {};
  }

  Result<NodeFact> input_fact(const std::string& name, std::size_t reader) {
    if (name == kInputName) {
      return NodeFact{{spec_.input.height, spec_.input.width, spec_.input.channels}, nullptr, &spec_.input};
    }
    const auto found = positions_.find(name);
    if (found == positions_.end()) return invalid("its input " + in_quotes(name) + " does not exist");
    if (found->second >= reader) {
      return invalid("its input " + in_quotes(name) +
                     " stands at or behind it; nodes must be in topological order");
    }
    used_[found->second] = true;
    return facts_[found->second];
  }

  Status check_output() {
    const auto found = positions_.find(spec_.output);
    if (found == positions_.end()) return invalid("the output " + in_quotes(spec_.output) + " is no node");
    if (facts_[found->second].quantizer != nullptr) {
      return {StatusCode::Unsupported,
              "the output " + in_quotes(spec_.output) +
                  " holds the codes of a quantize node; it must hold floats: put a dequantize behind it"};
    }
    used_[found->second] = true;
    for (std::size_t i = 0; i < used_.size(); ++i) {
      if (!used_[i])
        return invalid("node " + in_quotes(spec_.nodes[i].name) + " is used by nothing: remove it");
    }
    return {};
  }

  const ModelSpec& spec_;
  std::unordered_map<std::string_view, std::size_t> positions_;  ///< the first of equal names
  std::vector<NodeFact> facts_;
  std::vector<bool> used_;
};

/// What stands beside the graph, once the output's shape is known.
Status check_texts(const ModelSpec& spec, std::size_t output_size) {
  if (Status status = check_name("model name", spec.name); !status.ok()) return status;
  if (!spec.labels.empty() && spec.labels.size() != output_size) {
    return invalid(std::to_string(spec.labels.size()) + " labels; the output has " +
                   std::to_string(output_size) + " values");
  }
  for (const std::string& label : spec.labels) {
    if (Status status = check_name("label", label); !status.ok()) return status;
  }
  for (const auto& [key, value] : spec.provenance) {
    if (key.empty() || has_control_characters(key) || has_control_characters(value)) {
      return invalid("provenance " + in_quotes(key) + ": an empty key or control characters");
    }
  }
  return {};
}

Status check_golden(const ModelSpec& spec, std::size_t output_size) {
  const GoldenPair& golden = spec.golden;
  if (golden.input.empty() && golden.output.empty()) return {};
  Checks checks;
  checks.size("golden input", golden.input.size(),
              spec.input.height * spec.input.width * spec.input.channels);
  checks.size("golden output", golden.output.size(), output_size);
  checks.finite("golden output", golden.output);
  return checks.status();
}

Result<std::vector<NodeShape>> validate_spec(const ModelSpec& spec) {
  if (Status status = check_input(spec.input); !status.ok()) return status;
  Result<std::vector<NodeShape>> shapes = GraphCheck(spec).run();
  if (!shapes.ok()) return shapes;
  std::size_t output_size = 0;
  for (std::size_t i = 0; i < spec.nodes.size(); ++i) {
    const NodeShape& s = shapes.value()[i];
    if (spec.nodes[i].name == spec.output) output_size = s.height * s.width * s.channels;
  }
  if (Status status = check_texts(spec, output_size); !status.ok()) return status;
  if (Status status = check_golden(spec, output_size); !status.ok()) return status;
  return shapes;
}

}  // namespace

std::optional<std::uint8_t> zero_byte(float mean) noexcept {
  const double byte = std::floor(255.0 * double{mean} + 0.5);
  if (!(byte >= 0.0 && byte <= 255.0) || static_cast<float>(byte / 255.0) != mean) return std::nullopt;
  return static_cast<std::uint8_t>(byte);
}

Result<std::vector<NodeShape>> validate(const ModelSpec& spec) {
  return no_throw([&] { return validate_spec(spec); });
}

}  // namespace bitplane::engine
