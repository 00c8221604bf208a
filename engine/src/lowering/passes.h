// SPDX-License-Identifier: Apache-2.0
//
// The passes of lowering, in the order in which lower() applies them. See program.h for what each is for.
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "bitplane/model_spec.h"
#include "bitplane/status.h"
#include "lowering/program.h"

namespace bitplane::engine {

/// The graph as steps of one stage each. `shapes` are those of validate(). Refuses the little that is valid
/// and that this engine cannot run.
///
/// A BN works on the z of the convolution before it, not on that convolution's own output: so a convolution
/// has two values, z and its output, and only those that somebody reads are computed.
[[nodiscard]] Result<Program> expand(const ModelSpec& spec, std::span<const NodeShape> shapes);

/// Merges a step of stages into the step that computes its input, where nobody else reads that input. A sum
/// goes into the later one of the two steps that compute its inputs; that step moves behind the other input.
void fuse(Program& program);

/// convolution -> max-pool -> [affine] [ReLU] quantizer becomes convolution with ranks -> max-pool on ranks
/// -> pack. A quantizer's rank is monotone in z, rising or falling with the sign of g: the maximum of z has
/// the largest or the smallest rank. So ranks (a byte) are pooled in place of floats, and the bits stay the
/// same.
void pool_on_ranks(Program& program);

/// concat -> [affine] [ReLU] quantizer becomes a rank (a byte) of each part and a step that packs the parts
/// side by side: floats are neither copied nor kept. The rank of a part is found by the step that computes it
/// where nobody else reads it, else by a step of its own. A max-pooling between the two pools the ranks of
/// each part.
void concat_on_ranks(Program& program);

/// A float tensor that a quantizer reads and others too (a residual sum and the next block's BN, ReLU and
/// quantizer): one step computes both, the planes and the floats beside them.
void floats_beside_planes(Program& program);

/// convolution of the picture's bytes -> max-pool, both floats, becomes one step: its rows are pooled while
/// they are in cache. ResNet-18's first layer writes 3.2 MB otherwise, and reads them again.
void pool_with_convolution(const ModelSpec& spec, Program& program);

/// Packed planes lie in memory as the convolutions that read them want: their number of groups. Where those
/// differ, the planes are packed once more.
void lay_out_planes(const ModelSpec& spec, Program& program);

/// Does the step's z come from integers alone: a convolution of planes, both sides uniform, no offsets, or
/// one of bytes?
[[nodiscard]] bool has_integer_accumulators(const ModelSpec& spec, const Program& program, const Step& step);

/// Does a quantizer see fma(z, g, h) and nothing else?
[[nodiscard]] bool compares_one_affine(const Stages& stages) noexcept;

/// Fills Step::integers where such a step has few thresholds: kernels may then compare A itself, and neither
/// convert it nor apply the affine. Exact: the integer tests are found on the predicate that they replace.
void compare_integers(const ModelSpec& spec, Program& program);

/// Fills Step::constant_channels of quantized, uniform convolutions with a quantizer: the channels for which
/// no reachable accumulator turns any threshold test. They cost time and carry nothing: `info` shows them.
void count_constant_channels(const ModelSpec& spec, Program& program);

/// Is shown the program behind each pass, by the pass's name.
using PassObserver = std::function<void(std::string_view pass, const Program& program)>;

/// All of them.
[[nodiscard]] Result<Program> lower(const ModelSpec& spec, std::span<const NodeShape> shapes,
                                    const PassObserver& observer = {});

}  // namespace bitplane::engine
