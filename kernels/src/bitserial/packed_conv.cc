// SPDX-License-Identifier: Apache-2.0
#include "bitserial/packed_conv.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <vector>

namespace bitplane::kernels {
namespace {

// Enough pixels to read (AVX2: to split) the weights rarely, few enough for windows and z to stay in the
// second-level cache. 48 took 3 (AVX-512) to 8 % (AVX2) longer in the product of 64 channels, K = 576, 1/1.
constexpr std::size_t kStripPixels = 192;
constexpr std::size_t kStripBytes = 128 * 1024;

/// As many whole rows as a strip needs, and some more if whole tiles of pixels fill them then: the pixels
/// that are left over run through narrow tiles, at a fraction of the rate.
std::size_t rows_of_strips(const ConvShape& shape, std::size_t tile) {
  const std::size_t width = shape.out_width(), least = (kStripPixels + width - 1) / width;
  const std::size_t row_bytes = width * shape.out_channels * sizeof(float);
  std::size_t best = least;
  for (std::size_t rows = least; rows < least + tile; ++rows) {
    if (rows > shape.out_height() || rows * row_bytes > kStripBytes) break;
    // Left-over pixels per row, compared as fractions.
    if (rows * width % tile * best < best * width % tile * rows) best = rows;
  }
  return best;
}

StripPlan plan_strip(const BitSerialKernels& kernels, const ConvShape& shape, const WindowLayout& windows,
                     std::size_t planes) {
  const std::size_t tile = kernels.pixel_sizes[0];
  StripPlan plan;
  plan.rows = rows_of_strips(shape, tile);
  std::size_t pixels = kStripPixels;
  if (windows.source == WindowSource::Gathered) {
    const std::size_t window_bytes = planes * windows.words * sizeof(std::uint64_t);
    pixels = std::clamp<std::size_t>(kStripBytes / window_bytes, tile, kStripPixels);
  }
  plan.pixels = std::min(pixels / tile * tile, plan.rows * shape.out_width());
  return plan;
}

using PlaneCounts = std::array<std::int64_t, kMaxPlanes>;

/// R_i of every weight plane, over the taps inside the picture for one border class and over all taps.
struct TapCounts {
  PlaneCounts inside{}, all{};
};

/// Weight bits of a channel in any part of the window, from sums over all parts that begin at its corner:
/// there are up to twice as many border classes as taps in each direction.
class TapSums {
 public:
  explicit TapSums(const BitConvSpec& spec)
      : spec_(spec), columns_(spec.shape.kernel_w + 1), sums_((spec.shape.kernel_h + 1) * columns_) {}

  void count(std::size_t channel) {
    for (std::size_t ky = 1; ky <= spec_.shape.kernel_h; ++ky) {
      PlaneCounts row{};
      for (std::size_t kx = 1; kx < columns_; ++kx) {
        PlaneCounts& sum = sums_[ky * columns_ + kx];
        for (std::size_t i = 0; i < spec_.weights.planes; ++i) {
          row[i] += count_taps(spec_.weights, spec_.shape, i, channel, {ky - 1, ky}, {kx - 1, kx});
          sum[i] = sums_[(ky - 1) * columns_ + kx][i] + row[i];
        }
      }
    }
  }
  [[nodiscard]] PlaneCounts within(IndexRange rows, IndexRange columns) const {
    PlaneCounts counts{};
    for (std::size_t i = 0; i < spec_.weights.planes; ++i) {
      counts[i] = at(rows.end, columns.end)[i] - at(rows.begin, columns.end)[i] -
                  at(rows.end, columns.begin)[i] + at(rows.begin, columns.begin)[i];
    }
    return counts;
  }

 private:
  [[nodiscard]] const PlaneCounts& at(std::size_t row, std::size_t column) const {
    return sums_[row * columns_ + column];
  }
  const BitConvSpec& spec_;
  std::size_t columns_;
  std::vector<PlaneCounts> sums_;  ///< [kernel_h + 1][kernel_w + 1]
};

/// See tile.h: the part of I_t that depends on the channel and the border class (bipolar activations only).
std::int64_t channel_term(const BitConvSpec& spec, const Term& term, const TapCounts& counts) {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < spec.weights.planes; ++i) {
    sum += term.a[i] * (spec.weight_encoding == Encoding::Bipolar ? 2 * (counts.all[i] - counts.inside[i])
                                                                  : -counts.inside[i]);
  }
  return sum * term.sum_b;
}

/// SW: the sum of the weight planes' values over the taps inside, without the weights' offset.
float weight_sum(const BitConvSpec& spec, const TapCounts& counts, std::size_t inside, std::size_t channel) {
  const auto as_read = [&](std::size_t i) {
    return spec.weight_encoding == Encoding::Bipolar
               ? 2 * counts.inside[i] - static_cast<std::int64_t>(inside)
               : counts.inside[i];
  };
  if (weights_are_uniform(spec.combination)) {
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < spec.weights.planes; ++i) sum += spec.weight_multiples[i] * as_read(i);
    return static_cast<float>(sum);
  }
  float sum = 0.0F;
  for (std::size_t i = 0; i < spec.weights.planes; ++i) {
    sum = std::fma(spec.weight_basis[i * spec.weights.rows + channel], static_cast<float>(as_read(i)), sum);
  }
  return sum;
}

/// Calls f(group, channel of the group, channel of the layer) for every output channel.
template <class F>
void for_channels(const ConvShape& shape, F f) {
  const std::size_t per_group = shape.out_channels / shape.groups;
  for (std::size_t channel = 0; channel < shape.out_channels; ++channel) {
    f(channel / per_group, channel % per_group, channel);
  }
}

void fill_coefficients(const BitConvSpec& spec, PackedBitConv& packed) {
  const std::size_t terms = packed.terms.size(), stride = packed.stride;
  if (spec.combination != Combination::UniformBoth) {
    packed.coefficients = AlignedArray<float>(spec.shape.groups * terms * stride);
    for_channels(spec.shape, [&](std::size_t group, std::size_t c, std::size_t channel) {
      const std::vector<float> coefficients = term_coefficients(spec, channel);
      for (std::size_t t = 0; t < terms; ++t)
        packed.coefficients[(group * terms + t) * stride + c] = coefficients[t];
    });
  }
  if (spec.weight_offset != nullptr) {
    packed.weight_offset = AlignedArray<float>(spec.shape.groups * stride);
    for_channels(spec.shape, [&](std::size_t group, std::size_t c, std::size_t channel) {
      packed.weight_offset[group * stride + c] = spec.weight_offset[channel];
    });
  }
}

void fill_pixel_factors(const BitConvSpec& spec, PackedBitConv& packed) {
  if (!packed.has_pixel_terms()) return;
  for (const Term& term : packed.terms) {
    if (spec.activation_encoding == Encoding::Bipolar) {
      packed.pixel_factors.push_back(static_cast<std::int32_t>(term.sum_a * term.sum_b));
    } else {
      for (std::size_t j = 0; j < spec.activation_planes; ++j) {
        packed.pixel_factors.push_back(static_cast<std::int32_t>(-term.sum_a * term.b[j]));
      }
    }
  }
}

/// The sums over all taps that the counts are subtracted from.
void fill_minuends(const BitConvSpec& spec, PackedBitConv& packed) {
  if (packed.op != PairOp::Xor || spec.activation_encoding == Encoding::Bipolar) return;
  const std::size_t terms = packed.terms.size(), stride = packed.stride;
  packed.minuends = AlignedArray<std::int32_t>(spec.shape.groups * terms * stride);
  for_channels(spec.shape, [&](std::size_t group, std::size_t c, std::size_t channel) {
    for (std::size_t t = 0; t < terms; ++t) {
      std::int64_t sum = 0;
      for (std::size_t i = 0; i < spec.weights.planes; ++i) {
        sum += packed.terms[t].a[i] * count_taps(spec.weights, spec.shape, i, channel,
                                                 {0, spec.shape.kernel_h}, {0, spec.shape.kernel_w});
      }
      packed.minuends[(group * terms + t) * stride + c] =
          static_cast<std::int32_t>(sum * packed.terms[t].sum_b);
    }
  });
}

void fill_border_tables(const BitConvSpec& spec, PackedBitConv& packed) {
  const std::size_t classes = packed.border.size(), terms = packed.terms.size(), stride = packed.stride;
  const bool wants_terms = spec.activation_encoding == Encoding::Bipolar;
  const bool wants_sums = spec.activation_offset != 0.0F;
  if (!wants_terms && !wants_sums) return;
  if (wants_terms)
    packed.channel_terms = AlignedArray<std::int32_t>(spec.shape.groups * classes * terms * stride);
  if (wants_sums) packed.weight_sums = AlignedArray<float>(spec.shape.groups * classes * stride);
  TapSums sums(spec);
  for_channels(spec.shape, [&](std::size_t group, std::size_t c, std::size_t channel) {
    sums.count(channel);
    TapCounts counts;
    counts.all = sums.within({0, spec.shape.kernel_h}, {0, spec.shape.kernel_w});
    for (std::size_t border_class = 0; border_class < classes; ++border_class) {
      counts.inside = sums.within(packed.border.rows(border_class), packed.border.columns(border_class));
      const std::size_t at = group * classes + border_class;
      for (std::size_t t = 0; wants_terms && t < terms; ++t) {
        packed.channel_terms[(at * terms + t) * stride + c] =
            static_cast<std::int32_t>(channel_term(spec, packed.terms[t], counts));
      }
      if (wants_sums) {
        const std::size_t inside =
            packed.border.taps(border_class) * (spec.shape.channels / spec.shape.groups);
        packed.weight_sums[at * stride + c] = weight_sum(spec, counts, inside, channel);
      }
    }
  });
}

}  // namespace

PackedBitConv make_packed_conv(const BitSerialKernels& kernels, const BitConvSpec& spec,
                               const ActivationLayout& input) {
  const ConvShape& shape = spec.shape;
  assert(spec.weights.rows == shape.out_channels && spec.weights.k == shape.filter_size());
  assert(spec.weights.planes >= 1 && spec.weights.planes <= kMaxPlanes);
  assert(shape.channels % shape.groups == 0 && shape.out_channels % shape.groups == 0);
  const std::size_t per_group = shape.out_channels / shape.groups;

  PackedBitConv packed;
  packed.weight_encoding = spec.weight_encoding;
  packed.activation_encoding = spec.activation_encoding;
  packed.combination = spec.combination;
  packed.weight_planes = spec.weights.planes;
  packed.terms = make_terms(spec);
  packed.op = pair_operation(spec, kernels.bipolar_by_unsigned);
  packed.schedule = make_schedule(packed.terms, spec, packed.op);
  packed.windows = make_window_layout(shape, input);
  packed.stride = (per_group + kernels.lanes - 1) / kernels.lanes * kernels.lanes;
  packed.blocks = cut_into_blocks(kernels, per_group);
  packed.weights =
      pack_weights(kernels, spec.weights, {.shape = shape, .input = input, .stride = packed.stride});
  packed.activation_offset = spec.activation_offset;
  if (!activations_are_uniform(spec.combination)) {
    std::copy_n(spec.activation_basis, spec.activation_planes, packed.activation_basis.begin());
  }
  packed.border = BorderClasses(shape);
  for (std::size_t border_class = 0; border_class < packed.border.size(); ++border_class) {
    packed.inside.push_back(packed.border.taps(border_class) * input.group_channels());
  }
  fill_minuends(spec, packed);
  fill_pixel_factors(spec, packed);
  fill_coefficients(spec, packed);
  fill_border_tables(spec, packed);
  packed.strip = plan_strip(kernels, shape, packed.windows, spec.activation_planes);
  return packed;
}

}  // namespace bitplane::kernels
