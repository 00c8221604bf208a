// SPDX-License-Identifier: Apache-2.0
//
// What a model file says, as plain values, with its reader and writer. docs/MODEL_FORMAT.md is normative.
// BN and scales stand here unfused, as they were trained; folding them is the engine's lowering.
//
// Applications need only <bitplane/engine.h>. This header is for tools that write or inspect models.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "bitplane/export.h"
#include "bitplane/status.h"
#include "bitplane/values.h"

namespace bitplane::engine {

/// The newest version that this build reads. A file is written with the lowest one that holds its graph.
inline constexpr int kFormatVersion = 2;

/// Planes in the file: I64 tensor [planes][rows][words(k)]; see kernels' PlaneMatrixView for the bit order.
struct Planes {
  std::size_t planes = 0, rows = 0, k = 0;
  Values<std::uint64_t> words;
  friend bool operator==(const Planes&, const Planes&) = default;
};

enum class PlaneEncoding : std::uint8_t {
  Unsigned,        ///< bits 0, 1
  TwosComplement,  ///< bits 0, 1; the last plane counts negative. Uniform bases only.
  Bipolar,         ///< bits -1, +1
};

/// Plane i counts scale * 2^i (the last one negative for two's complement). scale >= 0.
struct UniformBasis {
  std::vector<float> scale;  ///< [1], or [out_channels] for weights
  friend bool operator==(const UniformBasis&, const UniformBasis&) = default;
};

/// Plane i counts values[i]: any real numbers, learned.
struct LearnedBasis {
  std::vector<float> values;  ///< [planes], or [planes][out_channels] for weights
  friend bool operator==(const LearnedBasis&, const LearnedBasis&) = default;
};

using Basis = std::variant<UniformBasis, LearnedBasis>;

/// value = offset + sum over planes of basis * bit.
struct PlaneWeights {
  Planes planes;  ///< rows = out_channels, k = (kernel_h, kernel_w, channels / groups)
  PlaneEncoding encoding = PlaneEncoding::Bipolar;
  Basis basis;
  std::vector<float> offset;  ///< empty (0), or [out_channels]
  friend bool operator==(const PlaneWeights&, const PlaneWeights&) = default;
};

/// [out_channels][kernel_h][kernel_w][channels / groups]
struct FloatWeights {
  Values<float> values;
  friend bool operator==(const FloatWeights&, const FloatWeights&) = default;
};

/// Does a codebook belong to the layer, or does each output channel have its own?
enum class CodebookScope : std::uint8_t { Layer, Channel };

/// weight = levels[index]: any real values, on float activations.
struct CodebookWeights {
  Planes indices;  ///< as many planes as the largest index has bits; rows and k as those of PlaneWeights
  CodebookScope scope = CodebookScope::Layer;
  std::vector<float> levels;  ///< [count], or [out_channels][count]; count is 1 to 256
  friend bool operator==(const CodebookWeights&, const CodebookWeights&) = default;
};

using Weights = std::variant<FloatWeights, PlaneWeights, CodebookWeights>;

/// The operations of a graph. kOps in engine/src/model/op_list.h is the one list of their names.
struct Conv2d {
  std::size_t out_channels = 0, kernel_h = 1, kernel_w = 1, stride_h = 1, stride_w = 1, pad_h = 0, pad_w = 0,
              dilation_h = 1, dilation_w = 1, groups = 1;
  Weights weights;
  std::vector<float> bias;  ///< empty, or [out_channels]
  friend bool operator==(const Conv2d&, const Conv2d&) = default;
};
/// On [n][features]; weights [out_features][features].
struct Linear {
  std::size_t out_features = 0;
  Weights weights;
  std::vector<float> bias;  ///< empty, or [out_features]
  friend bool operator==(const Linear&, const Linear&) = default;
};
/// y = gamma * (x - mean) / sqrt(var + epsilon) + beta; gamma and beta are empty in BN without affine.
struct BatchNorm {
  std::vector<float> mean, var, gamma, beta;
  float epsilon = 1e-5F;
  friend bool operator==(const BatchNorm&, const BatchNorm&) = default;
};
struct Relu {
  friend bool operator==(const Relu&, const Relu&) = default;
};
/// rank = #{l : x > thresholds[l]}, code = code_of_rank[rank]; bit j of a code is plane j.
struct Quantize {
  std::size_t bits = 1;
  PlaneEncoding encoding = PlaneEncoding::Unsigned;
  Basis basis;  ///< one scale, or [bits]
  float offset = 0.0F;
  std::vector<float> thresholds;           ///< [2^bits - 1], ascending, finite
  std::vector<std::uint8_t> code_of_rank;  ///< [2^bits], a permutation
  friend bool operator==(const Quantize&, const Quantize&) = default;
};
/// The values that codes stand for (docs/BITPLANES.md, 17), for whatever takes floats.
struct Dequantize {
  friend bool operator==(const Dequantize&, const Dequantize&) = default;
};
enum class PoolRounding : std::uint8_t { Floor, Ceil };
struct MaxPool {
  std::size_t kernel_h = 2, kernel_w = 2, stride_h = 2, stride_w = 2, pad_h = 0, pad_w = 0;
  PoolRounding rounding = PoolRounding::Floor;
  friend bool operator==(const MaxPool&, const MaxPool&) = default;
};
struct GlobalAveragePool {
  friend bool operator==(const GlobalAveragePool&, const GlobalAveragePool&) = default;
};
/// [n][h][w][c] -> [n][h * w * c]
struct Flatten {
  friend bool operator==(const Flatten&, const Flatten&) = default;
};

/// The sum of two tensors of one shape.
struct Add {
  friend bool operator==(const Add&, const Add&) = default;
};
/// The channels of all inputs, one input after another; heights and widths are equal.
struct Concat {
  friend bool operator==(const Concat&, const Concat&) = default;
};
/// What the sum of a window is divided by: its pixels inside the picture, or those inside the padded picture.
enum class AverageDivisor : std::uint8_t { Inside, Padded };
struct AveragePool {
  std::size_t kernel_h = 2, kernel_w = 2, stride_h = 2, stride_w = 2, pad_h = 0, pad_w = 0;
  PoolRounding rounding = PoolRounding::Floor;
  AverageDivisor divisor = AverageDivisor::Inside;
  friend bool operator==(const AveragePool&, const AveragePool&) = default;
};
/// How a shortcut gets fewer pixels: the mean of a stride_h x stride_w window, or its first pixel.
enum class ShortcutSampling : std::uint8_t { Average, Subsample };
/// [n][h][w][c] -> [n][ceil(h / stride_h)][ceil(w / stride_w)][front + c + back], the new channels zero: the
/// parameter-free shortcut of a residual stage (He et al. 2016, option A).
struct ZeroChannelShortcut {
  std::size_t stride_h = 2, stride_w = 2, front = 0, back = 0;
  ShortcutSampling sampling = ShortcutSampling::Average;
  friend bool operator==(const ZeroChannelShortcut&, const ZeroChannelShortcut&) = default;
};
/// What the squares are summed over: `size` channels of a pixel, or `size` x `size` pixels of a channel.
enum class NormScope : std::uint8_t { AcrossChannels, WithinChannel };
/// y = x / (k + alpha / n * sum of squares)^beta, n = size or size^2 (Krizhevsky et al. 2012; Caffe).
struct LocalResponseNorm {
  NormScope scope = NormScope::AcrossChannels;
  std::size_t size = 5;  ///< odd
  float alpha = 1e-4F, beta = 0.75F, k = 1.0F;
  friend bool operator==(const LocalResponseNorm&, const LocalResponseNorm&) = default;
};
/// Over the channels of each pixel.
struct Softmax {
  friend bool operator==(const Softmax&, const Softmax&) = default;
};
/// What training had here (dropout) does nothing in inference.
struct Identity {
  friend bool operator==(const Identity&, const Identity&) = default;
};

using Operation =
    std::variant<Conv2d, Linear, BatchNorm, Relu, Quantize, MaxPool, GlobalAveragePool, Flatten, Add, Concat,
                 AveragePool, ZeroChannelShortcut, LocalResponseNorm, Softmax, Identity, Dequantize>;

/// A node's output goes by the node's name; the picture is "input". Nodes stand in topological order.
struct Node {
  std::string name;
  std::vector<std::string> inputs;
  Operation op;
  friend bool operator==(const Node&, const Node&) = default;
};

/// x = fma(u, 1 / (255 std_c), -mean_c / std_c) from the picture's byte u; see docs/BITPLANES.md.
struct InputSpec {
  std::size_t height = 0, width = 0, channels = 0;
  std::vector<float> mean, std;  ///< [channels]
  friend bool operator==(const InputSpec&, const InputSpec&) = default;
};

/// The byte m of a channel that means 0, where mean = float(m / 255): what a layer of plane weights on the
/// picture itself needs (docs/MODEL_FORMAT.md, Weights). Nothing for any other mean.
[[nodiscard]] BITPLANE_API std::optional<std::uint8_t> zero_byte(float mean) noexcept;

/// A picture and the output that the trainer computed for it: the file's self-test, compared bit for bit.
struct GoldenPair {
  std::vector<std::uint8_t> input;  ///< [height][width][channels]
  std::vector<float> output;
  friend bool operator==(const GoldenPair&, const GoldenPair&) = default;
};

struct ModelSpec {
  std::string name;
  InputSpec input;
  std::vector<Node> nodes;
  std::string output;  ///< a node's name
  std::vector<std::string> labels;
  std::map<std::string, std::string> provenance;  ///< method, bits, data set, accuracy, trainer version, ...
  GoldenPair golden;                              ///< empty vectors: none
  friend bool operator==(const ModelSpec&, const ModelSpec&) = default;
};

/// Shape of a node's output, without the batch: height = width = 1 after Flatten, GlobalAveragePool and
/// Linear.
struct NodeShape {
  std::size_t height = 0, width = 0, channels = 0;
  friend bool operator==(const NodeShape&, const NodeShape&) = default;
};

/// Checks everything that the format demands of a graph (names, shapes, sizes, bit widths, finiteness, the
/// int32 bound) and returns the shape of each node's output.
BITPLANE_API Result<std::vector<NodeShape>> validate(const ModelSpec& spec);

/// The file's bytes. Refuses a spec that validate() refuses.
BITPLANE_API Result<std::vector<std::byte>> serialize_model(const ModelSpec& spec);
/// Temporary file, fsync, rename, fsync of the folder: `path` holds the old file or the whole new one.
BITPLANE_API Status write_model(const std::string& path, const ModelSpec& spec);
/// Never allocates more than the bytes justify; checks format version, digest and graph before it returns.
BITPLANE_API Result<ModelSpec> parse_model(std::span<const std::byte> bytes);
BITPLANE_API Result<ModelSpec> read_model(const std::string& path);

/// The atomic writer on its own, for whoever else must never lose what was saved.
BITPLANE_API Status write_file_atomically(const std::string& path, std::span<const std::byte> bytes);

}  // namespace bitplane::engine
