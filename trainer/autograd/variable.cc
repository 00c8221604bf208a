// SPDX-License-Identifier: Apache-2.0
#include "trainer/autograd/variable.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "trainer/autograd/profile.h"
#include "trainer/tensor/row_loops.h"

namespace bitplane::train {

struct Variable::State {
  struct Node {
    std::string_view name;
    Variables inputs;
    BackwardFunction backward;
  };

  Tensor value;
  Tensor grad;
  Gradient gradient = Gradient::None;
  std::optional<Node> node;   ///< none for leaves
  std::uint64_t seen_by = 0;  ///< the last backward pass that met this node
};

Variable::Variable(Tensor value, Gradient gradient) : state_(std::allocate_shared<State>(Recycled<State>{})) {
  state_->value = std::move(value);
  state_->gradient = gradient;
}

const Tensor& Variable::value() const noexcept {
  return state_->value;
}
Tensor& Variable::mutable_value() noexcept {
  return state_->value;
}
bool Variable::requires_grad() const noexcept {
  return defined() && state_->gradient == Gradient::Required;
}
bool Variable::has_grad() const noexcept {
  return defined() && state_->grad.defined();
}

const Tensor& Variable::grad() const {
  if (!has_grad()) throw std::logic_error("this variable has no gradient (was backward() called?)");
  return state_->grad;
}

Tensor& Variable::mutable_grad() {
  if (!has_grad()) throw std::logic_error("this variable has no gradient (was backward() called?)");
  if (!state_->grad.unique()) state_->grad = state_->grad.clone();
  return state_->grad;
}

void Variable::clear_grad() noexcept {
  state_->grad = Tensor();
}

Variable record(const Context& ctx, std::string_view name, Tensor value, Variables inputs,
                BackwardFunction backward) {
  Variable result(std::move(value));
  if (ctx.grad == GradMode::Off) return result;
  if (std::none_of(inputs.begin(), inputs.end(), [](const Variable& v) { return v.requires_grad(); }))
    return result;
  result.state_->gradient = Gradient::Required;
  result.state_->node.emplace(Variable::State::Node{name, std::move(inputs), std::move(backward)});
  return result;
}

/// One walk from an output back to the leaves.
class BackwardPass {
 public:
  BackwardPass(const Context& ctx, const Variable& output) : ctx_(ctx) { sort(output.state_); }

  void run(const Variable& output, const Tensor& grad_output) {
    accumulate(*output.state_, grad_output, "output");
    while (!order_.empty()) {
      const std::shared_ptr<Variable::State> state = std::move(order_.back());
      order_.pop_back();
      step(*state);
    }
  }

 private:
  using State = Variable::State;

  /// Depth first, without recursion; order_ ends with inputs before the nodes that read them.
  void sort(const std::shared_ptr<State>& root) {
    struct Frame {
      std::shared_ptr<State> state;
      std::size_t next_input = 0;
    };
    static std::atomic<std::uint64_t> passes{0};
    const std::uint64_t pass = ++passes;
    RecycledVector<Frame> stack;
    const auto enter = [&](const std::shared_ptr<State>& s) {
      if (s == nullptr || !s->node || std::exchange(s->seen_by, pass) == pass) return;
      stack.push_back({s});
    };
    enter(root);
    while (!stack.empty()) {
      Frame& top = stack.back();
      if (top.next_input < top.state->node->inputs.size()) {
        enter(top.state->node->inputs[top.next_input++].state_);
      } else {
        order_.push_back(std::move(top.state));
        stack.pop_back();
      }
    }
  }

  /// Gives the node's gradient to its inputs, then frees the node with all that it saved.
  void step(State& state) {
    const std::optional<State::Node> node = std::exchange(state.node, std::nullopt);
    state.gradient = Gradient::None;
    if (!state.grad.defined()) return;  // nothing reached this node
    Gradients grads;
    {
      const OpTimer timer(ctx_, node->name, OpProfile::Direction::Backward);
      grads = node->backward(std::exchange(state.grad, Tensor()));
    }
    if (grads.size() != node->inputs.size()) {
      throw std::logic_error("backward of " + std::string(node->name) + " gave " +
                             std::to_string(grads.size()) + " gradients for " +
                             std::to_string(node->inputs.size()) + " inputs");
    }
    for (std::size_t i = 0; i < grads.size(); ++i) {
      const Variable& input = node->inputs[i];
      if (grads[i].defined() && input.requires_grad()) {
        accumulate(*input.state_, std::exchange(grads[i], Tensor()), node->name);
      }
    }
  }

  void accumulate(State& state, Tensor grad, std::string_view from) {
    if (grad.shape() != state.value.shape()) {
      throw std::invalid_argument("gradient from " + std::string(from) + " has shape " + grad.shape().str() +
                                  ", its variable " + state.value.shape().str());
    }
    if (!state.grad.defined()) {
      state.grad = std::move(grad);
      return;
    }
    if (!state.grad.unique()) state.grad = state.grad.clone();
    add_to(ctx_.backend, state.grad, grad);
  }

  const Context& ctx_;
  RecycledVector<std::shared_ptr<State>> order_;
};

void backward(const Context& ctx, const Variable& loss) {
  if (loss.value().size() != 1) {
    throw std::invalid_argument("backward without a gradient needs one element, got " + loss.shape().str());
  }
  backward(ctx, loss, Tensor::filled(loss.shape(), 1.0F));
}

void backward(const Context& ctx, const Variable& output, const Tensor& grad_output) {
  if (!output.requires_grad()) {
    throw std::logic_error(
        "backward from a variable that depends on no parameter (was the graph recorded, or freed?)");
  }
  BackwardPass(ctx, output).run(output, grad_output);
}

}  // namespace bitplane::train
