// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cassert>
#include <span>

#include "bitplane/kernels/dot.h"
#include "dot/cost.h"
#include "dot/packed_dot.h"
#include "dot/strip_runner.h"

namespace bitplane::kernels {
namespace {

/// What the 8 bits of a byte add to 8 weights.
using ByteSteps = std::array<std::array<std::int16_t, 8>, 256>;

ByteSteps byte_steps(std::int16_t step) {
  ByteSteps steps{};
  for (std::size_t byte = 0; byte < steps.size(); ++byte) {
    for (std::size_t bit = 0; bit < 8; ++bit) steps[byte][bit] = (byte >> bit & 1U) != 0 ? step : 0;
  }
  return steps;
}

void add_plane(const std::uint64_t* words, const ByteSteps& steps, std::span<std::int16_t> values) {
  const auto byte_of = [words](std::size_t k) { return words[k / 64] >> (k % 64) & 255U; };
  const auto add = [](std::int16_t a, std::int16_t b) { return static_cast<std::int16_t>(a + b); };
  std::size_t k = 0;
  for (; k + 8 <= values.size(); k += 8) {
    const auto& of_byte = steps[byte_of(k)];
    for (std::size_t bit = 0; bit < 8; ++bit) values[k + bit] = add(values[k + bit], of_byte[bit]);
  }
  for (std::size_t bit = 0; k + bit < values.size(); ++bit)
    values[k + bit] = add(values[k + bit], steps[byte_of(k)][bit]);
}

/// The integer of every weight: [out channel][K].
std::vector<std::int16_t> weight_values(const BitConvSpec& spec) {
  const PlaneMatrixView& planes = spec.weights;
  const bool bipolar = spec.weight_encoding == Encoding::Bipolar;
  std::int32_t base = 0;  // of a weight without set bits
  for (std::size_t i = 0; i < planes.planes && bipolar; ++i) base -= spec.weight_multiples[i];
  std::vector<std::int16_t> values(planes.rows * planes.k, static_cast<std::int16_t>(base));
  for (std::size_t i = 0; i < planes.planes; ++i) {
    const ByteSteps steps =
        byte_steps(static_cast<std::int16_t>(spec.weight_multiples[i] * (bipolar ? 2 : 1)));
    for (std::size_t row = 0; row < planes.rows; ++row)
      add_plane(planes.row(i, row), steps, std::span(values).subspan(row * planes.k, planes.k));
  }
  return values;
}

/// A bipolar plane is worth -n or n: n less at the base, 2 n more where the bit is set.
void set_elements(const BitConvSpec& spec, DotElements& elements) {
  const bool bipolar = spec.activation_encoding == Encoding::Bipolar;
  std::int32_t base = elements.offset;
  for (std::size_t j = 0; j < spec.activation_planes; ++j) {
    const std::int32_t multiple = spec.activation_multiples[j];
    if (bipolar) base -= multiple;
    elements.steps[j] = static_cast<std::uint16_t>(bipolar ? 2 * multiple : multiple);
  }
  elements.base = static_cast<std::uint16_t>(base);
}

/// Rows of packed planes.
class PlaneRows {
 public:
  PlaneRows(const PackedDot& packed, const PackedActivations& input) : packed_(packed), input_(input) {}

  void expand(const DotRowAt& at, std::byte* to) const noexcept {
    const ActivationLayout& layout = input_.layout;
    const std::size_t plane_stride = layout.plane_stride();
    packed_.format->expand_pixels(
        {.planes = input_.data + at.picture * layout.picture_bytes() + at.row * layout.row_bytes() +
                   at.group * layout.planes * plane_stride,
         .plane_stride = plane_stride,
         .plane_count = layout.planes,
         .pixel_bytes = layout.pixel_bytes(),
         .pixels = layout.width,
         .channels = layout.group_channels(),
         .base = packed_.elements.base,
         .steps = packed_.elements.steps.data()},
        to);
  }

 private:
  const PackedDot& packed_;
  const PackedActivations& input_;
};

}  // namespace

bool dot_supports(const DotKernels& kernels, const BitConvSpec& spec) noexcept {
  return spec.combination == Combination::UniformBoth && spec.weight_offset == nullptr &&
         spec.activation_offset == 0.0F && choose_format(kernels, value_ranges(spec)) != nullptr;
}

DotConv::DotConv(const DotKernels& kernels, const BitConvSpec& spec) : LowBitConv(spec) {
  assert(dot_supports(kernels, spec));
  assert(spec.weights.rows == spec.shape.out_channels && spec.weights.k == spec.shape.filter_size());
  PackedDot packed =
      pack_dot(kernels, spec.shape, {.weights = weight_values(spec), .ranges = value_ranges(spec)});
  set_elements(spec, packed.elements);
  packed_ = std::make_shared<const PackedDot>(std::move(packed));
}

std::size_t DotConv::packed_bytes() const noexcept {
  return packed_->bytes();
}

std::size_t DotConv::scratch_bytes() const noexcept {
  return cut_scratch(*packed_, nullptr).bytes;
}

void DotConv::run(const PackedActivations& input, RowRange rows, const EpilogueKernels& epilogues,
                  const Epilogue& epilogue, std::byte* scratch) const noexcept {
  assert(input.layout == input_layout());
  const PlaneRows source(*packed_, input);
  DotRunner(*packed_, source, scratch).run(rows, epilogues, epilogue);
}

void DotConv::run_integer(const PackedActivations& input, RowRange rows, std::int32_t* out,
                          std::byte* scratch) const noexcept {
  assert(input.layout == input_layout());
  const PlaneRows source(*packed_, input);
  DotRunner(*packed_, source, scratch).run_integer(rows, out);
}

}  // namespace bitplane::kernels
