// SPDX-License-Identifier: Apache-2.0
//
// What lowering works on: a list of steps over values, for one picture. The passes, in order:
//
//   expand           the graph as steps of one stage each; BN and scales folded into per-channel affines
//   fuse             affine + sum + affine + ReLU + quantizer become the epilogue of the step before them
//   pool_on_ranks    max-pooling between a convolution and its quantizer moves behind the quantizer
//   concat_on_ranks  a quantizer behind a concatenation, pooled or not, moves in front of it
//   floats_beside_planes  a quantizer of a value that others read too joins the step that computes it
//   pool_with_convolution  a max-pooling of floats joins the convolution of bytes that computes them
//   lay_out_planes   packed planes take the number of groups of the convolutions that read them
//   complete_affines   where nothing was folded, the affine that changes nothing
//   note_picture_readers  whether any step reads the picture as floats, or as bytes
//   compare_integers   where few thresholds follow integer accumulators, they become integers too
//   constant_channels  counts output channels whose code cannot depend on the input
//
// choose_kernels and plan_arena follow when a session is created, since they depend on the CPU and the batch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bitplane/kernels/conv_shape.h"
#include "bitplane/kernels/epilogue.h"
#include "bitplane/kernels/planes.h"
#include "bitplane/kernels/pooling.h"
#include "bitplane/model_spec.h"

namespace bitplane::engine {

using ValueId = std::size_t;
/// The picture: preprocessed, or its bytes to the convolutions that read those.
inline constexpr ValueId kInputValue = 0;

enum class ValueForm : std::uint8_t { Float, Ranks, Planes };

/// A tensor between steps: NHWC float32, one byte per rank, or packed planes.
struct Value {
  ValueForm form = ValueForm::Float;
  NodeShape shape;
  std::size_t bits = 32;                                     ///< planes of Ranks and Planes
  std::size_t quantizer = 0;                                 ///< Ranks, Planes: index of the quantize node
  kernels::Encoding encoding = kernels::Encoding::Unsigned;  ///< Planes
  std::size_t groups = 1;                                    ///< Planes: of the consuming convolutions
};

/// t = fma(z, scale[c], shift[c])
struct Affine {
  std::vector<float> scale, shift;
};

/// Thresholds as the step applies them: negative ones are -inf behind a ReLU.
struct QuantizeStage {
  std::size_t node = 0;
  std::vector<float> thresholds;
};

enum class Rectified : std::uint8_t { No, Yes };

/// What stands before `after`, ReLU and quantizer is a value too, that other steps read.
struct FloatsStage {
  ValueId value = kInputValue;
  Rectified relu = Rectified::No;  ///< the value is what a ReLU makes of it
};

/// The element-wise end of a step, applied in this order; empty: z as it is.
struct Stages {
  std::optional<Affine> affine{};
  std::optional<ValueId> residual{};    ///< a float tensor of the output's shape, added
  std::optional<FloatsStage> floats{};  ///< written on the way; with a quantizer only
  std::optional<Affine> after{};
  bool relu = false;
  std::optional<QuantizeStage> quantize{};
};

enum class StepKind : std::uint8_t {
  Convolution,
  Elementwise,
  MaxPool,
  AveragePool,
  GlobalAverage,
  Shortcut,       ///< the parameter-free one
  LocalResponse,  ///< local response normalization
  Softmax,
  Dequantize,  ///< planes to floats
  Concat,      ///< of floats
  PackRanks,   ///< ranks, of one tensor or of several concatenated ones, to planes
  Repack,      ///< planes to planes of another number of groups
};

/// The thresholds of a quantizer as tests on the integer accumulator A:
/// rank[c] = #{l : (A ^ flip[c]) > thresholds[l][c]} (kernels::IntegerThresholds).
struct IntegerStage {
  std::vector<std::int32_t> thresholds;  ///< [count][channels]
  std::vector<std::int32_t> flip;        ///< [channels]
};

struct Step {
  StepKind kind = StepKind::Elementwise;
  std::size_t node = 0;            ///< the node whose weights, window or codes the step uses
  std::vector<std::size_t> nodes;  ///< all nodes that it computes
  ValueId in = kInputValue, out = kInputValue;
  std::vector<ValueId> parts;            ///< Concat, PackRanks: all inputs in order, the first is `in`
  std::vector<std::size_t> channels;     ///< of the parts
  NodeShape in_shape;                    ///< as the node sees its input: behind Flatten not the value's own
  Stages stages;                         ///< Convolution, Elementwise
  std::optional<IntegerStage> integers;  ///< the stages once more: Convolution of uniform planes
  std::optional<std::size_t> pool{};     ///< Convolution: the max-pool node behind its stages
  std::vector<std::uint8_t> minimum;     ///< MaxPool on ranks: channels that take the minimum
  std::size_t constant_channels = 0;
};

struct Program {
  std::vector<Value> values;  ///< the first is the input
  std::vector<Step> steps;    ///< in an order in which they can run
  ValueId output = kInputValue;
  std::vector<std::size_t> quantizers;  ///< the quantize nodes, in graph order
  bool preprocesses = true;             ///< somebody reads the picture as floats
  bool reads_bytes = false;             ///< somebody reads its bytes

  [[nodiscard]] ValueId add_value(const Value& value) {
    values.push_back(value);
    return values.size() - 1;
  }
};

/// All values that the step reads; one that it reads twice stands twice.
[[nodiscard]] std::vector<ValueId> inputs_of(const Step& step);
/// One, or two where floats go beside planes.
[[nodiscard]] std::vector<ValueId> outputs_of(const Step& step);
/// Does its kind end in stages?
[[nodiscard]] bool has_stages(const Step& step) noexcept;

/// For each value: how many steps read it; the program's output counts as one reader.
[[nodiscard]] std::vector<std::size_t> count_readers(const Program& program);

/// Does the step see its input as the value is? Not behind a Flatten of a map: there a channel of the step is
/// another thing than a channel of the value, and the two cannot become one step.
[[nodiscard]] bool sees_value_shape(const Program& program, const Step& step);

/// The geometry of a Convolution step for one picture. A linear layer on a map of planes is a convolution
/// whose kernel is the whole map.
[[nodiscard]] kernels::ConvShape convolution_shape(const ModelSpec& spec, const Program& program,
                                                   const Step& step);
/// Of a MaxPool or AveragePool step, or behind a Convolution, for one picture.
[[nodiscard]] kernels::PoolShape pool_shape(const ModelSpec& spec, const Program& program, const Step& step);
[[nodiscard]] kernels::ActivationLayout planes_layout(const Value& value);

/// The parts that conv2d and linear share.
[[nodiscard]] bool has_weights(const Operation& op) noexcept;
[[nodiscard]] const Weights& weights_of(const Operation& op);
/// Null where the node's weights are something else.
[[nodiscard]] const CodebookWeights* codebook_of(const Operation& op);
[[nodiscard]] const std::vector<float>& bias_of(const Operation& op);

}  // namespace bitplane::engine
