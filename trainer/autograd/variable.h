// SPDX-License-Identifier: Apache-2.0
//
// Reverse-mode differentiation. An operation computes its value and records a node: its name, the variables
// it read, and a lambda that turns the gradient of the value into the gradients of the inputs. What the
// lambda needs it captures by value, explicitly. backward() walks the nodes in reverse topological order and
// frees the graph as it goes; only leaves (parameters) keep their gradient.
#pragma once

#include <cstdint>
#include <iterator>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "trainer/autograd/context.h"
#include "trainer/tensor/recycled.h"
#include "trainer/tensor/tensor.h"

namespace bitplane::train {

enum class Gradient : std::uint8_t { None, Required };

/// One gradient per input of a node, in their order; an undefined Tensor where none flows.
using Gradients = RecycledVector<Tensor>;

/// The gradient of the value -> Gradients. The argument may be overwritten where it is unique(). Made from
/// any callable; one that returns std::vector<Tensor> serves too, but allocates in each step. A
/// std::function would allocate as well: most lambdas keep more than it has room for.
class BackwardFunction {
 public:
  template <class Callable>
  requires(!std::is_same_v<std::remove_cvref_t<Callable>, BackwardFunction>)
      BackwardFunction(Callable callable)
      : call_(std::allocate_shared<Held<Callable>>(Recycled<Held<Callable>>{}, std::move(callable))) {}

  [[nodiscard]] Gradients operator()(Tensor grad_output) const { return call_->run(std::move(grad_output)); }

 private:
  struct Call {
    virtual ~Call() = default;
    virtual Gradients run(Tensor grad_output) = 0;
  };
  template <class Callable>
  struct Held final : Call {
    explicit Held(Callable c) : callable(std::move(c)) {}
    Gradients run(Tensor grad_output) override {
      auto gradients = callable(std::move(grad_output));
      if constexpr (std::is_same_v<decltype(gradients), Gradients>) {
        return gradients;
      } else {
        return Gradients(std::make_move_iterator(gradients.begin()),
                         std::make_move_iterator(gradients.end()));
      }
    }
    Callable callable;
  };
  std::shared_ptr<Call> call_;
};

class Variables;

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
  friend Variable record(const Context&, std::string_view, Tensor, Variables, BackwardFunction);
  friend class BackwardPass;
  struct State;
  std::shared_ptr<State> state_;
};

/// What a node reads.
class Variables : public RecycledVector<Variable> {
 public:
  using RecycledVector<Variable>::RecycledVector;
  Variables(const std::vector<Variable>& list) : RecycledVector<Variable>(list.begin(), list.end()) {}
};

/// Records a node, or returns a plain variable when ctx says Off or no input requires a gradient.
/// `name` must outlive the graph (a literal).
Variable record(const Context& ctx, std::string_view name, Tensor value, Variables inputs,
                BackwardFunction backward);

/// d(loss)/d(leaf) is added to the gradient of every leaf that requires one. `loss` has one element.
/// Throws std::invalid_argument naming the node and both shapes when a gradient has not its variable's shape.
void backward(const Context& ctx, const Variable& loss);
/// The same from a given gradient of `output`.
void backward(const Context& ctx, const Variable& output, const Tensor& grad_output);

}  // namespace bitplane::train
