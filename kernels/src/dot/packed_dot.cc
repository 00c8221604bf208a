// SPDX-License-Identifier: Apache-2.0
#include "dot/packed_dot.h"

#include <algorithm>
#include <cassert>

namespace bitplane::kernels {
namespace {

/// Cuts all runs into chunks of about equal length, at most `limit` steps; segments end where either ends.
void cut_chunks(const DotRuns& runs, std::size_t limit, PackedDot& packed) {
  const std::size_t unit = packed.kernels->segment_steps, total = runs.count * runs.steps;
  const std::size_t count = (total + limit - 1) / limit;
  const std::size_t steps = ((total + count - 1) / count + unit - 1) / unit * unit;
  for (std::size_t begin = 0; begin < total; begin += steps) {
    DotChunk chunk{.first_segment = packed.segments.size(),
                   .first_step = begin,
                   .steps = std::min(steps, total - begin)};
    for (std::size_t at = begin; at < begin + chunk.steps;) {
      const std::size_t run = at / runs.steps, in_run = at % runs.steps;
      const std::size_t length = std::min(runs.steps - in_run, begin + chunk.steps - at);
      packed.segments.push_back({run_offset(packed, run) + in_run * kStepBytes, length});
      at += length;
    }
    chunk.segments = packed.segments.size() - chunk.first_segment;
    packed.chunks.push_back(chunk);
  }
}

void cut_blocks(PackedDot& packed) {
  const DotKernels& kernels = *packed.kernels;
  const std::size_t channels = packed.group_outputs(), stride = packed.stride();
  std::size_t first = 0;
  for (std::size_t index = 0; index < kMaxDotRegisterSizes && kernels.register_sizes[index] != 0; ++index) {
    const std::size_t width = kernels.register_sizes[index] * kernels.lanes;
    for (; first + width <= stride; first += width) {
      packed.blocks.push_back({first, std::min(width, channels - first), index});
    }
  }
}

/// Chooses codes for the weights: as few bits as name every value that occurs, zero included where runs have
/// a tail, which zero weights make harmless.
void choose_codes(const DotOperands& operands, bool wants_zero, PackedDot& packed,
                  std::array<std::uint8_t, 256>& code_of) {
  if (packed.format->element_bytes != 1) return;
  std::array<bool, 256> occurs{};
  for (const std::int16_t w : operands.weights) occurs[static_cast<std::uint8_t>(w)] = true;
  if (wants_zero) occurs[0] = true;
  const auto count = static_cast<std::size_t>(std::count(occurs.begin(), occurs.end(), true));
  packed.code_bits = count <= 2 ? 1 : count <= 4 ? 2 : count <= 16 ? 4 : 8;
  if (packed.code_bits == 8) return;
  std::uint8_t next = 0;
  for (std::size_t value = 0; value < occurs.size(); ++value) {
    if (!occurs[value]) continue;
    code_of[value] = next;
    packed.values[next++] = static_cast<std::byte>(value);
  }
}

/// Packs chunk after chunk: expanded as the kernel reads it, then coded.
class WeightPacker {
 public:
  WeightPacker(const DotOperands& operands, const DotRuns& runs, PackedDot& packed)
      : operands_(operands), runs_(runs), packed_(packed), vector_bytes_(packed.kernels->lanes * kStepBytes) {
    choose_codes(operands, runs.steps * kStepBytes != runs.elements * packed.format->element_bytes, packed,
                 code_of_);
  }

  void pack() {
    std::size_t bytes = 0;
    for (std::size_t group = 0; group < packed_.shape.groups; ++group) {
      for (const DotBlock& block : packed_.blocks) {
        for (const DotChunk& chunk : packed_.chunks) {
          packed_.weights_at.push_back(bytes);
          bytes += coded_vectors(registers_of(block) * chunk.steps) * vector_bytes_;
        }
      }
    }
    packed_.weights = AlignedArray<std::byte>(bytes);
    std::size_t index = 0;
    for (std::size_t group = 0; group < packed_.shape.groups; ++group) {
      for (const DotBlock& block : packed_.blocks) {
        for (const DotChunk& chunk : packed_.chunks) {
          pack_chunk(group, block, chunk, packed_.weights.data() + packed_.weights_at[index++]);
        }
      }
    }
  }

 private:
  [[nodiscard]] std::size_t registers_of(const DotBlock& block) const {
    return packed_.kernels->register_sizes[block.register_index];
  }
  [[nodiscard]] std::size_t coded_vectors(std::size_t vectors) const {
    const std::size_t fields = 8 / packed_.code_bits;
    return (vectors + fields - 1) / fields;
  }

  /// Byte `byte` of step `step` of a channel.
  [[nodiscard]] std::uint8_t byte_at(std::size_t channel, std::size_t step, std::size_t byte) const {
    const std::size_t size = packed_.format->element_bytes, in_run = step % runs_.steps * kStepBytes + byte;
    const std::size_t element = in_run / size;
    if (element >= runs_.elements) return 0;
    const std::size_t k = step / runs_.steps * runs_.elements + element;
    const auto value =
        static_cast<std::uint16_t>(operands_.weights[channel * packed_.shape.filter_size() + k]);
    return static_cast<std::uint8_t>(value >> (8 * (in_run % size)));
  }

  void pack_chunk(std::size_t group, const DotBlock& block, const DotChunk& chunk, std::byte* to) const {
    const std::size_t lanes = packed_.kernels->lanes, registers = registers_of(block);
    const std::size_t fields = 8 / packed_.code_bits;
    const std::size_t first = group * (packed_.group_outputs()) + block.first;
    for (std::size_t step = 0; step < chunk.steps; ++step) {
      for (std::size_t c = 0; c < block.channels; ++c) {
        const std::size_t vector = step * registers + c / lanes;
        std::byte* lane = to + vector / fields * vector_bytes_ + c % lanes * kStepBytes;
        const std::size_t shift = vector % fields * packed_.code_bits;
        for (std::size_t b = 0; b < kStepBytes; ++b) {
          const std::uint8_t value = byte_at(first + c, chunk.first_step + step, b);
          lane[b] |= static_cast<std::byte>((packed_.code_bits == 8 ? value : code_of_[value]) << shift);
        }
      }
    }
  }

  const DotOperands& operands_;
  const DotRuns& runs_;
  PackedDot& packed_;
  std::size_t vector_bytes_;
  std::array<std::uint8_t, 256> code_of_{};
};

void fill_start(const DotOperands& operands, PackedDot& packed) {
  const ConvShape& shape = packed.shape;
  const std::size_t per_group = packed.group_outputs(), k = shape.filter_size();
  packed.start = AlignedArray<std::int32_t>(shape.groups * packed.stride());
  for (std::size_t channel = 0; channel < shape.out_channels; ++channel) {
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < k; ++i) sum += operands.weights[channel * k + i];
    packed.start[channel / per_group * packed.stride() + channel % per_group] =
        static_cast<std::int32_t>(-packed.elements.offset * sum);
  }
}

}  // namespace

PackedDot pack_dot(const DotKernels& kernels, const ConvShape& shape, const DotOperands& operands) {
  PackedDot packed;
  packed.kernels = &kernels;
  packed.format = choose_format(kernels, operands.ranges);
  assert(packed.format != nullptr);
  packed.shape = shape;
  packed.elements.offset = activation_offset(*packed.format, operands.ranges.activations);
  cut_blocks(packed);
  const DotRuns runs = runs_of(packed);
  cut_chunks(runs, chunk_steps(packed, operands.ranges), packed);
  WeightPacker(operands, runs, packed).pack();
  fill_start(operands, packed);
  return packed;
}

}  // namespace bitplane::kernels
