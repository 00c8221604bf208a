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
  scratch.picture = take(most_input_rows(packed) * packed.row_bytes() + kDotSlack);
  scratch.weights = take(most_chunk_bytes(packed));
  scratch.pixels = reinterpret_cast<const std::byte**>(take(pixels * sizeof(const std::byte*)));
  scratch.results = take(pixels * shape.out_channels * sizeof(std::int32_t));
  scratch.bytes = used;
  return scratch;
}

void fill_padding(const PackedDot& packed, std::size_t group, std::size_t count, std::byte* to) noexcept {
  const std::size_t bytes = packed.pixel_bytes();
  if (packed.padding.empty()) {  // 16-bit elements need no offset: zero is two zero bytes
    std::memset(to, packed.elements.offset, count * bytes);
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

void multiply_group(const PackedDot& packed, std::size_t group, std::size_t pixels, DotFinish finish,
                    const DotScratch& scratch, std::byte* out) noexcept {
  const ConvShape& shape = packed.shape;
  const DotKernels& kernels = *packed.kernels;
  const std::size_t per_group = shape.out_channels / shape.groups;
  const std::size_t* weights_at =
      packed.weights_at.data() + group * packed.blocks.size() * packed.chunks.size();
  DotPanel panel{.pixels = scratch.pixels,
                 .pixel_count = pixels,
                 .out_stride = shape.out_channels * sizeof(std::int32_t)};
  for (const DotBlock& block : packed.blocks) {
    panel.out = out + (group * per_group + block.first) * sizeof(std::int32_t);
    panel.channels = block.channels;
    for (const DotChunk& chunk : packed.chunks) {
      const std::byte* weights = packed.weights.data() + *weights_at++;
      if (packed.code_bits != 8) {
        const std::size_t fields = 8 / packed.code_bits;
        const std::size_t vectors = chunk.steps * kernels.register_sizes[block.register_index];
        kernels.expand_weights({.codes = weights,
                                .vectors = (vectors + fields - 1) / fields,
                                .code_bits = packed.code_bits,
                                .values = packed.values.data()},
                               scratch.weights);
        weights = scratch.weights;
      }
      panel.weights = weights;
      panel.segments = packed.segments.data() + chunk.first_segment;
      panel.segment_count = chunk.segments;
      panel.start = &chunk == &packed.chunks.front()
                        ? packed.start.data() + group * packed.stride() + block.first
                        : nullptr;
      panel.finish = &chunk == &packed.chunks.back() ? finish : DotFinish::Integers;
      packed.format->run_panel[block.register_index](panel);
    }
  }
}

}  // namespace bitplane::kernels
