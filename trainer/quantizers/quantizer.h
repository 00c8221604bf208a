// SPDX-License-Identifier: Apache-2.0
//
// What a quantizer is, for training and for export. One file per quantizer; list.h is the one list of them.
//
//   operand       forward while training                        backward                 export
//   weights       [out][K] -> values of the same shape          gradient of the          codes, basis, offset
//   activations   thresholds -> rank -> level; statistics       declared surrogate       engine::Quantize
//
// A quantizer of activations IS a table: strictly ascending ranks, rank(x) = #{l : x > thresholds[l]}, one
// level and one code per rank. The thresholds that training compares with are the ones that are exported, so
// the evaluation sees the same codes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bitplane/model_spec.h"
#include "trainer/autograd/parameter.h"
#include "trainer/autograd/variable.h"
#include "trainer/tensor/backend.h"
#include "trainer/tensor/tensor.h"
#include "trainer/tensor/threshold_table.h"

namespace bitplane::train {

/// Where the surrogate is asked for: its gradient is taken around `at`, with what the method holds constant
/// (a maximum, a rounded value) computed there; `x` and `trained` are what moves.
struct SurrogatePoint {
  const Tensor& at;
  std::span<const double> x;
  std::span<const std::vector<double>> trained = {};  ///< in the order of trained()
};

/// What a quantizer tells the metrics, as {"clip_point", 0.7}.
struct Reading {
  std::string name;
  double value = 0;
  friend bool operator==(const Reading&, const Reading&) = default;
};

/// {"NAME_0", values[0]}, {"NAME_1", values[1]}, ...
[[nodiscard]] std::vector<Reading> numbered_readings(std::string_view name, std::span<const float> values);

/// Common to both operands: name, bits, what is learned by gradient and what is kept otherwise.
class Quantizer {
 public:
  virtual ~Quantizer() = default;
  /// The name in list.h, e.g. "lq-nets".
  [[nodiscard]] virtual std::string_view name() const noexcept = 0;
  [[nodiscard]] virtual std::size_t bits() const noexcept = 0;
  /// Learned by gradient, beside the operand: inputs of the graph's node. None by default.
  [[nodiscard]] virtual std::vector<Variable> trained() const { return {}; }
  /// Trained parameters and state tensors (checkpointed), each under prefix + its own name.
  virtual void visit_state(const std::string& prefix, const StateVisitor& visitor) = 0;
  /// The function whose slope at `at` is the backward, in double, for gradient checks: one value per element.
  [[nodiscard]] virtual std::vector<double> surrogate(const SurrogatePoint& point) const = 0;
  /// For the metrics of an epoch, after its last step: the numbers that move, so that one which runs away is
  /// seen. None by default.
  [[nodiscard]] virtual std::vector<Reading> readings() const { return {}; }
};

/// value(o, k) = offset_o + sum over planes of basis(plane, o) * bit, see engine::PlaneWeights.
struct WeightExport {
  std::size_t planes = 0, out_channels = 0, k = 0;
  engine::PlaneEncoding encoding = engine::PlaneEncoding::Bipolar;
  engine::Basis basis = {};               ///< uniform: [1] or [out]; learned: [planes][out]
  std::vector<float> offset = {};         ///< empty or [out]
  std::vector<std::uint16_t> codes = {};  ///< [out][k], bit j = plane j
};

/// Weights for float activations: value(o, k) = levels[index], see engine::CodebookWeights.
struct CodebookExport {
  std::size_t out_channels = 0, k = 0;
  engine::CodebookScope scope = engine::CodebookScope::Layer;
  std::vector<float> levels = {};          ///< [count], or [out][count]; count is 1 to 256
  std::vector<std::uint8_t> indices = {};  ///< [out][k]
};

/// Where in a procedure (procedures/procedure.h) a stage stands.
struct StagePosition {
  std::string_view name;             ///< "fine-tune"
  std::size_t index = 0, count = 1;  ///< of the procedure's stages
};

class WeightQuantizer : public Quantizer {
 public:
  /// Fake-quantized weights, dequantized: float32 levels. `weights` is [out][...]. Mode::Train: the state
  /// moves after the output was computed with the current one. Eval: nothing moves.
  virtual Tensor forward(const Context& ctx, const Tensor& weights) = 0;
  /// Gradients of the declared surrogate: to the weights, then to each of trained(). Default: straight
  /// through.
  virtual std::vector<Tensor> backward(const Context& ctx, const Tensor& weights, Tensor grad_output);
  /// With the current state.
  [[nodiscard]] virtual WeightExport export_weights(const Tensor& weights) const = 0;
  /// The same for float activations. Default: the levels of the codes that export_weights() uses; nullopt
  /// where those are more than 256. To be replaced where planes can only come near the levels.
  [[nodiscard]] virtual std::optional<CodebookExport> export_codebook(const Tensor& weights) const;
  /// Its codes multiply the bytes of the picture: engine::PlaneWeights on the model's input.
  [[nodiscard]] virtual bool reads_picture() const noexcept { return false; }
  /// The weights stay float: the method only moves them between steps. Nothing is exported but themselves.
  [[nodiscard]] virtual bool keeps_floats() const noexcept { return false; }
  /// Learning rate of the weights, relative to the run's.
  [[nodiscard]] virtual float learning_rate_factor() const noexcept { return 1.0F; }
  /// 1 where a weight stays where it is, shared with the quantizer's state; undefined: all weights move.
  [[nodiscard]] virtual Tensor frozen() const { return {}; }
  /// Default: the identity.
  [[nodiscard]] std::vector<double> surrogate(const SurrogatePoint& point) const override;
  /// Before the first step and after each one of the optimizer: brings the weights, and what is trained(),
  /// back where the method wants them. What is evaluated, saved and exported is that.
  virtual void constrain(Tensor& weights);
  /// A stage of a procedure begins: weights and state are those that the stage before ended with. May change
  /// both (a new partition, fixed weights); what has to last is state, so that checkpoints hold it. Not
  /// called in `trainer train`, and not again when a stage is resumed.
  virtual void begin_stage(const StagePosition& stage, Tensor& weights);
};

class ActivationQuantizer : public Quantizer {
 public:
  /// The table that the next forward uses: made from the state in one documented order of float operations.
  [[nodiscard]] virtual ThresholdTable table() const = 0;
  /// Must see the batch before table() is right (several alternations, a first-batch start)? Then the
  /// operation cannot be fused with the batch norm in front of it. Only asked while training.
  [[nodiscard]] virtual bool looks_ahead() const noexcept { return false; }
  virtual void before_batch(const Context& ctx, const Tensor& x);
  /// As WeightQuantizer::constrain(), of what is trained().
  virtual void constrain();
  /// Training, after the forward: the state moves.
  virtual void after_batch(const RankStatistics& statistics);
  [[nodiscard]] virtual bool wants_statistics() const noexcept { return false; }
  /// Whether negative values have codes of their own: then no ReLU stands in front (nets/quantizer_inputs.h).
  [[nodiscard]] virtual bool reads_signs() const noexcept { return false; }
  /// Whether the levels are fixed for inputs of mean 0 and deviation 1: then a batch norm in front has
  /// no scale and shift (nets/quantizer_inputs.h).
  [[nodiscard]] virtual bool wants_unit_input() const noexcept { return false; }
  /// Gradients of the declared surrogate: to x, then to each of trained(). `used` is the table of the
  /// forward. Default: where the table's interval passes. A quantizer with trained() parameters is never
  /// fused.
  virtual std::vector<Tensor> backward(const Context& ctx, const ThresholdTable& used, const Tensor& x,
                                       Tensor grad_output);

  /// Default: a clamp to the table's pass interval.
  [[nodiscard]] std::vector<double> surrogate(const SurrogatePoint& point) const override;
  /// As the model file stores it.
  [[nodiscard]] virtual engine::Quantize export_spec() const = 0;
};

}  // namespace bitplane::train
