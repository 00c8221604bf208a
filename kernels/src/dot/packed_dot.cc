// SPDX-License-Identifier: Apache-2.0
#include "dot/packed_dot.h"

#include <algorithm>
#include <cassert>

namespace bitplane::kernels {
namespace {

/// Whole runs where several fit into a chunk, else parts of one, of about equal length.
void cut_chunks(const DotRuns& runs, std::size_t limit, PackedDot& packed) {
  const auto divide_up = [](std::size_t value, std::size_t by) { return (value + by - 1) / by; };
  const auto add_chunk = [&](std::size_t first_run, std::size_t count, const DotSegment& part) {
    const std::size_t per_row = runs.count / packed.shape.kernel_h;
    packed.chunks.push_back({.first_segment = packed.segments.size(),
                             .segments = count,
                             .first_step = first_run * runs.steps + part.offset / kStepBytes,
                             .steps = count * part.steps,
                             .kernel_rows = {first_run / per_row, (first_run + count - 1) / per_row + 1}});
    for (std::size_t run = first_run; run < first_run + count; ++run) {
      packed.segments.push_back({run_offset(packed, run) + part.offset, part.steps});
    }
  };
  if (runs.steps <= limit) {
    const std::size_t chunks = divide_up(runs.count, limit / runs.steps);
    const std::size_t together = divide_up(runs.count, chunks);
    for (std::size_t run = 0; run < runs.count; run += together) {
      add_chunk(run, std::min(together, runs.count - run), {0, runs.steps});
    }
    return;
  }
  const std::size_t unit = packed.kernels->segment_steps;
  const std::size_t steps = divide_up(divide_up(runs.steps, divide_up(runs.steps, limit)), unit) * unit;
  for (std::size_t run = 0; run < runs.count; ++run) {
    for (std::size_t step = 0; step < runs.steps; step += steps) {
      add_chunk(run, 1, {step * kStepBytes, std::min(steps, runs.steps - step)});
    }
  }
}

/// A chunk of kernel rows that an output row has outside the picture multiplies nothing but padding. That is
/// skipped where padding is zeros.
void find_chunks_of_rows(PackedDot& packed) {
  const ConvShape& shape = packed.shape;
  const TapGeometry rows{shape.height, shape.kernel_h, shape.stride_h, shape.pad_h, shape.dilation_h};
  const IndexRange all{0, packed.chunks.size()};
  for (std::size_t y = 0; y < shape.out_height(); ++y) {
    const IndexRange inside = taps_inside(rows, y);
    IndexRange range = all;
    if (inside.begin < inside.end) {
      while (packed.chunks[range.begin].kernel_rows.end <= inside.begin) ++range.begin;
      while (packed.chunks[range.end - 1].kernel_rows.begin >= inside.end) --range.end;
    }
    packed.chunks_of_row.push_back(range);
  }
  const auto takes_all = [&](const IndexRange& range) { return range == all; };
  if (std::all_of(packed.chunks_of_row.begin(), packed.chunks_of_row.end(), takes_all))
    packed.chunks_of_row.clear();
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

// Codes instead of bytes cost nothing where they are expanded for 50 pixels and more (AVX-512, S3: 211 GMAC/s
// with 2 bits, 207 with bytes) and are read 4 times as fast where one pixel meets 38 M weights (0.8 ms
// instead of 1.8 with 2 bits).

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

  /// Where a byte of a step comes from, in every channel: an element of its row, and which byte of it.
  struct Source {
    std::size_t k = 0;
    unsigned shift = 0;
    bool padding = true;
  };
  [[nodiscard]] Source source_of(std::size_t step, std::size_t byte) const {
    const std::size_t size = packed_.format->element_bytes, in_run = step % runs_.steps * kStepBytes + byte;
    const std::size_t element = in_run / size;
    if (element >= runs_.elements) return {};
    return {step / runs_.steps * runs_.elements + element, static_cast<unsigned>(8 * (in_run % size)), false};
  }

  void pack_chunk(std::size_t group, const DotBlock& block, const DotChunk& chunk, std::byte* to) const {
    const std::size_t lanes = packed_.kernels->lanes, registers = registers_of(block);
    const std::size_t fields = 8 / packed_.code_bits, row = packed_.shape.filter_size();
    const std::int16_t* const weights =
        operands_.weights.data() + (group * packed_.group_outputs() + block.first) * row;
    for (std::size_t step = 0; step < chunk.steps; ++step) {
      for (std::size_t b = 0; b < kStepBytes; ++b) {
        const Source source = source_of(chunk.first_step + step, b);
        for (std::size_t first = 0; first < block.channels; first += lanes) {
          const std::size_t vector = step * registers + first / lanes;
          std::byte* const lane = to + vector / fields * vector_bytes_ + b;
          const std::size_t shift = vector % fields * packed_.code_bits;
          for (std::size_t c = first; c < std::min(first + lanes, block.channels); ++c) {
            const auto element =
                source.padding ? std::uint16_t{0} : static_cast<std::uint16_t>(weights[c * row + source.k]);
            const auto value = static_cast<std::uint8_t>(element >> source.shift);
            lane[(c - first) * kStepBytes] |=
                static_cast<std::byte>((packed_.code_bits == 8 ? value : code_of_[value]) << shift);
          }
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
    const std::size_t group = channel / per_group, inputs = packed.group_channels();
    for (std::size_t i = 0; i < k; ++i) {
      const std::int32_t zero = operands.zero == nullptr ? 0 : operands.zero[group * inputs + i % inputs];
      sum += operands.weights[channel * k + i] * std::int64_t{packed.elements.offset + zero};
    }
    // Exact modulo 2^32, as everything is that is added to it.
    packed.start[group * packed.stride() + channel % per_group] =
        static_cast<std::int32_t>(static_cast<std::uint32_t>(-sum));
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
  packed.lane_steps = lane_steps(*packed.format, operands.ranges);
  cut_blocks(packed);
  const DotRuns runs = runs_of(packed);
  cut_chunks(runs, chunk_steps(packed, operands.ranges), packed);
  if (operands.zero == nullptr && packed.elements.offset == 0) find_chunks_of_rows(packed);
  WeightPacker(operands, runs, packed).pack();
  fill_start(operands, packed);
  return packed;
}

}  // namespace bitplane::kernels
