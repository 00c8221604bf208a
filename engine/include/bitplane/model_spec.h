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
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "bitplane/status.h"

namespace bitplane::engine {

inline constexpr int kFormatVersion = 1;

/// Planes in the file: I64 tensor [planes][rows][words(k)]; see kernels' PlaneMatrixView for the bit order.
struct Planes {
  std::size_t planes = 0, rows = 0, k = 0;
  std::vector<std::uint64_t> words;
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
  std::vector<float> values;
  friend bool operator==(const FloatWeights&, const FloatWeights&) = default;
};

using Weights = std::variant<FloatWeights, PlaneWeights>;

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

using Operation =
    std::variant<Conv2d, Linear, BatchNorm, Relu, Quantize, MaxPool, GlobalAveragePool, Flatten>;

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
Result<std::vector<NodeShape>> validate(const ModelSpec& spec);

/// The file's bytes. Refuses a spec that validate() refuses.
Result<std::vector<std::byte>> serialize_model(const ModelSpec& spec);
/// Temporary file, fsync, rename, fsync of the folder: `path` holds the old file or the whole new one.
Status write_model(const std::string& path, const ModelSpec& spec);
/// Never allocates more than the bytes justify; checks format version, digest and graph before it returns.
Result<ModelSpec> parse_model(std::span<const std::byte> bytes);
Result<ModelSpec> read_model(const std::string& path);

/// The atomic writer on its own, for whoever else must never lose what was saved.
Status write_file_atomically(const std::string& path, std::span<const std::byte> bytes);

}  // namespace bitplane::engine
