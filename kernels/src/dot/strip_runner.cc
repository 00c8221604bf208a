// SPDX-License-Identifier: Apache-2.0
#include "dot/strip_runner.h"

namespace bitplane::kernels {
namespace {

constexpr std::size_t kLine = 64;

constexpr std::size_t whole_lines(std::size_t bytes) {
  return (bytes + kLine - 1) / kLine * kLine;
}

/// Input rows of a strip at most. It may begin and end inside a picture; each picture of it has its own rows.
std::size_t most_input_rows(const PackedDot& packed) {
  const std::size_t rows = packed.strip_rows(), height = packed.shape.out_height();
  const std::size_t pictures = std::min(rows, (rows + height - 2) / height + 1);
  const auto inputs = [&](std::size_t count) {
    return (rows - count) * packed.shape.stride_h + count * packed.span_rows();
  };
  return std::max(inputs(1), inputs(pictures));
}

std::size_t most_chunk_bytes(const PackedDot& packed) {
  if (packed.code_bits == 8) return 0;
  const DotKernels& kernels = *packed.kernels;
  std::size_t steps = 0;
  for (const DotChunk& chunk : packed.chunks) steps = std::max(steps, chunk.steps);
  // The last coded vector may hold fields that are not used.
  const std::size_t vectors = steps * packed.most_registers() + 8;
  return vectors * kernels.lanes * kStepBytes;
}

}  // namespace

DotScratch cut_scratch(const PackedDot& packed, std::byte* base) noexcept {
  const ConvShape& shape = packed.shape;
  const std::size_t pixels = packed.strip_rows() * shape.out_width();
  std::size_t used = 0;
  const auto take = [&](std::size_t bytes) {
    std::byte* at = base == nullptr ? nullptr : base + used;
    used += whole_lines(bytes);
    return at;
  };
  DotScratch scratch;
  scratch.picture = take(most_input_rows(packed) * packed.row_bytes() + packed.slack() + kDotSlack);
  scratch.weights = take(most_chunk_bytes(packed));
  scratch.pixels = reinterpret_cast<const std::byte**>(take(pixels * sizeof(const std::byte*)));
  scratch.results = take(pixels * shape.out_channels * sizeof(std::int32_t));
  scratch.bytes = used;
  return scratch;
}

void fill_padding(const PackedDot& packed, std::size_t group, std::size_t count, std::byte* to) noexcept {
  const std::size_t bytes = packed.pixel_bytes();
  if (packed.padding.empty() && packed.format->element_bytes == 1) {
    std::memset(to, packed.elements.offset, count * bytes);
    return;
  }
  if (packed.padding.empty()) {
    const auto word = static_cast<std::int16_t>(packed.elements.offset);
    for (std::size_t at = 0; at < count * bytes; at += sizeof(word))
      std::memcpy(to + at, &word, sizeof(word));
    return;
  }
  for (std::size_t i = 0; i < count; ++i)
    std::memcpy(to + i * bytes, packed.padding.data() + group * bytes, bytes);
}

bool row_is_read(const ConvShape& shape, std::size_t output_rows, std::size_t row) noexcept {
  for (std::size_t ky = 0; ky < shape.kernel_h && ky * shape.dilation_h <= row; ++ky) {
    const std::size_t start = row - ky * shape.dilation_h;
    if (start % shape.stride_h == 0 && start / shape.stride_h < output_rows) return true;
  }
  return false;
}

namespace {

/// What a chunk means to an output row.
struct ChunkUse {
  bool wanted = false, first = false, last = false;
  friend bool operator==(const ChunkUse&, const ChunkUse&) = default;
};

ChunkUse use_of(const PackedDot& packed, std::size_t chunk, std::size_t row) noexcept {
  if (packed.chunks_of_row.empty()) return {true, chunk == 0, chunk + 1 == packed.chunks.size()};
  const IndexRange range = packed.chunks_of_row[row % packed.chunks_of_row.size()];
  const bool wanted = chunk >= range.begin && chunk < range.end;
  return {wanted, wanted && chunk == range.begin, wanted && chunk + 1 == range.end};
}

/// One block of one group.
struct BlockRun {
  const PackedDot& packed;
  const DotStrip& strip;
  const DotScratch& scratch;
  const DotBlock& block;
  const std::int32_t* start;
  std::byte* out;
};

/// The panel of a chunk, once for each run of output rows to which the chunk means the same.
void run_chunk(const BlockRun& run, std::size_t chunk, const std::byte* weights) noexcept {
  const auto& [packed, strip, scratch, block, start, out] = run;
  const std::size_t width = packed.shape.out_width();
  DotPanel panel{.slack = packed.slack(),
                 .segments = packed.segments.data() + packed.chunks[chunk].first_segment,
                 .segment_count = packed.chunks[chunk].segments,
                 .lane_steps = packed.lane_steps,
                 .weights = weights,
                 .out_stride = packed.shape.out_channels * sizeof(std::int32_t),
                 .channels = block.channels};
  for (std::size_t row = 0; row < strip.count;) {
    const ChunkUse use = use_of(packed, chunk, strip.row + row);
    std::size_t end = packed.chunks_of_row.empty() ? strip.count : row + 1;
    while (end < strip.count && use_of(packed, chunk, strip.row + end) == use) ++end;
    if (use.wanted) {
      panel.pixels = scratch.pixels + row * width;
      panel.pixel_count = (end - row) * width;
      panel.start = use.first ? start : nullptr;
      panel.finish = use.last ? strip.finish : DotFinish::Integers;
      panel.out = out + row * width * panel.out_stride;
      packed.format->run_panel[block.register_index](panel);
    }
    row = end;
  }
}

const std::byte* expanded_weights(const PackedDot& packed, const DotBlock& block, const DotChunk& chunk,
                                  const std::byte* weights, std::byte* to) noexcept {
  if (packed.code_bits == 8) return weights;
  const std::size_t fields = 8 / packed.code_bits;
  const std::size_t vectors = chunk.steps * packed.kernels->register_sizes[block.register_index];
  packed.kernels->expand_weights({.codes = weights,
                                  .vectors = (vectors + fields - 1) / fields,
                                  .code_bits = packed.code_bits,
                                  .values = packed.values.data()},
                                 to);
  return to;
}

}  // namespace

void multiply_group(const PackedDot& packed, std::size_t group, const DotStrip& strip,
                    const DotScratch& scratch) noexcept {
  const std::size_t* weights_at =
      packed.weights_at.data() + group * packed.blocks.size() * packed.chunks.size();
  for (const DotBlock& block : packed.blocks) {
    const std::size_t channel = group * packed.group_outputs() + block.first;
    const BlockRun run{.packed = packed,
                       .strip = strip,
                       .scratch = scratch,
                       .block = block,
                       .start = packed.start.data() + group * packed.stride() + block.first,
                       .out = strip.out + channel * sizeof(std::int32_t)};
    for (std::size_t chunk = 0; chunk < packed.chunks.size(); ++chunk) {
      const std::byte* weights = packed.weights.data() + *weights_at++;
      run_chunk(run, chunk, expanded_weights(packed, block, packed.chunks[chunk], weights, scratch.weights));
    }
  }
}

}  // namespace bitplane::kernels
