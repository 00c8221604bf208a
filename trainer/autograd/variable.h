// SPDX-License-Identifier: Apache-2.0
//
// Reverse-mode differentiation. An operation computes its value and records a node: its name, the variables
// it read, and a lambda that turns the gradient of the value into the gradients of the inputs. What the
// lambda needs it captures by value, explicitly. backward() walks the nodes in reverse topological order and
// frees the graph as it goes; only leaves (parameters) keep their gradient.
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "trainer/autograd/context.h"
#include "trainer/tensor/tensor.h"

namespace bitplane::train {

enum class Gradient : std::uint8_t { None, Required };

/// The gradient of the value -> one gradient per input, in their order; an undefined Tensor where none flows.
/// The argument may be overwritten where it is unique().
using BackwardFunction = std::function<std::vector<Tensor>(Tensor grad_output)>;

/// A tensor in a graph. Copies share the value, the gradient and the node.
class Variable {
 public:
  Variable() = default;
  explicit Variable(Tensor value, Gradient gradient = Gradient::None);

  [[nodiscard]] bool defined() const noexcept { return state_ != nullptr; }
  [[nodiscard]] const Tensor& value() const noexcept;
  [[nodiscard]] Tensor& mutable_value() noexcept;
  [[nodiscard]] const Shape& shape() const noexcept { return value().shape(); }
  [[nodiscard]] bool requires_grad() const noexcept;

  [[nodiscard]] bool has_grad() const noexcept;
  /// Throws std::logic_error when there is none.
  [[nodiscard]] const Tensor& grad() const;
  [[nodiscard]] Tensor& mutable_grad();
  void clear_grad() noexcept;

 private:
  friend Variable record(const Context&, std::string_view, Tensor, std::vector<Variable>, BackwardFunction);
  friend class BackwardPass;
  struct State;
  std::shared_ptr<State> state_;
};

/// Records a node, or returns a plain variable when ctx says Off or no input requires a gradient.
/// `name` must outlive the graph (a literal).
Variable record(const Context& ctx, std::string_view name, Tensor value, std::vector<Variable> inputs,
                BackwardFunction backward);

/// d(loss)/d(leaf) is added to the gradient of every leaf that requires one. `loss` has one element.
/// Throws std::invalid_argument naming the node and both shapes when a gradient has not its variable's shape.
void backward(const Context& ctx, const Variable& loss);
/// The same from a given gradient of `output`.
void backward(const Context& ctx, const Variable& output, const Tensor& grad_output);

}  // namespace bitplane::train
