// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cassert>
#include <cstring>

#include "bitplane/kernels/dot.h"
#include "dot/packed_dot.h"
#include "dot/strip_runner.h"

namespace bitplane::kernels {
namespace {

constexpr ValueRange kBytes{0, 255};

void store_element(const PackedDot& packed, std::uint8_t value, std::byte* to) noexcept {
  const std::int32_t element = value + packed.elements.offset;
  if (packed.format->element_bytes == 1) {
    *to = static_cast<std::byte>(element);
  } else {
    const auto word = static_cast<std::int16_t>(element);
    std::memcpy(to, &word, sizeof(word));
  }
}

/// Rows of bytes, interleaved by pixel.
class ByteRows {
 public:
  ByteRows(const PackedDot& packed, const std::uint8_t* input) : packed_(packed), input_(input) {}

  void expand(const DotRowAt& at, std::byte* to) const noexcept {
    const ConvShape& shape = packed_.shape;
    const std::size_t group_channels = packed_.group_channels();
    const std::uint8_t* from = input_ + (at.picture * shape.height + at.row) * shape.width * shape.channels +
                               at.group * group_channels;
    if (shape.groups == 1) return expand_run(from, shape.width * shape.channels, to);
    for (std::size_t x = 0; x < shape.width; ++x) {
      expand_run(from + x * shape.channels, group_channels, to + x * packed_.pixel_bytes());
    }
  }

 private:
  void expand_run(const std::uint8_t* from, std::size_t count, std::byte* to) const noexcept {
    const std::size_t size = packed_.format->element_bytes;
    if (size == 1 && packed_.elements.offset == 0) {
      std::memcpy(to, from, count);
      return;
    }
    if (size == 1) {
      for (std::size_t i = 0; i < count; ++i) store_element(packed_, from[i], to + i);
      return;
    }
    const std::int32_t offset = packed_.elements.offset;
    for (std::size_t i = 0; i < count; ++i) {
      const auto word = static_cast<std::int16_t>(from[i] + offset);
      std::memcpy(to + i * sizeof(word), &word, sizeof(word));
    }
  }

  const PackedDot& packed_;
  const std::uint8_t* input_;
};

}  // namespace

ByteConv::ByteConv(const DotKernels& kernels, const ByteConvSpec& spec) : shape_(spec.shape) {
  const std::size_t count = spec.shape.out_channels * spec.shape.filter_size();
  const auto [least, most] = std::minmax_element(spec.weights, spec.weights + count);
  PackedDot packed = pack_dot(kernels, spec.shape,
                              {.weights = {spec.weights, spec.weights + count},
                               .ranges = {{*least, *most}, kBytes},
                               .zero = spec.zero});
  const std::size_t size = packed.format->element_bytes;
  packed.padding.resize(spec.shape.channels * size);
  for (std::size_t c = 0; c < spec.shape.channels; ++c) {
    store_element(packed, spec.zero == nullptr ? std::uint8_t{0} : spec.zero[c],
                  packed.padding.data() + c * size);
  }
  packed_ = std::make_shared<const PackedDot>(std::move(packed));
}

std::size_t ByteConv::packed_bytes() const noexcept {
  return packed_->bytes();
}

std::size_t ByteConv::scratch_bytes() const noexcept {
  return cut_scratch(*packed_, nullptr).bytes;
}

void ByteConv::run(const std::uint8_t* input, RowRange rows, const EpilogueKernels& epilogues,
                   const Epilogue& epilogue, std::byte* scratch) const noexcept {
  const ByteRows source(*packed_, input);
  DotRunner(*packed_, source, scratch).run(rows, epilogues, epilogue);
}

void ByteConv::run_integer(const std::uint8_t* input, RowRange rows, std::int32_t* out,
                           std::byte* scratch) const noexcept {
  const ByteRows source(*packed_, input);
  DotRunner(*packed_, source, scratch).run_integer(rows, out);
}

}  // namespace bitplane::kernels
