// SPDX-License-Identifier: Apache-2.0
//
// The epilogues, once for all ISAs. A backend V holds kLanes consecutive channels of one pixel; its
// comparisons give one bit per lane, so a plane is a handful of integer operations on such masks:
//
//   thresholds ascend, so "t passes threshold l" is nested in "t passes threshold l - 1", and
//   plane b of the code = c_0[b] XOR over the passed l of (c_l XOR c_{l-1})[b],      c = code_of_rank
//
// That costs one comparison per threshold; with more than kMaskThresholds of them the rank is searched
// instead. Included by the per-ISA files only; everything is local to them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bitplane/kernels/epilogue.h"

namespace bitplane::kernels {
namespace {

inline constexpr std::size_t kMaskThresholds = 15;
inline constexpr std::size_t kWordChannels = 64;

[[gnu::always_inline]] inline std::size_t smaller(std::size_t a, std::size_t b) {
  return a < b ? a : b;
}

/// t of `count` <= kLanes channels from channel `c` on.
template <class V>
[[gnu::always_inline]] inline typename V::Floats affine(const ChannelAffine& affine, const float* z,
                                                        std::size_t c, std::size_t count) {
  return V::fma(V::load(z + c, count), V::load(affine.scale + c, count), V::load(affine.shift + c, count));
}

template <class V>
void apply_float(const Epilogue& epilogue, const EpilogueRow& row) noexcept {
  for (std::size_t p = 0; p < row.pixels; ++p) {
    const std::size_t at = (row.row * row.pixels + p) * row.channels;
    const float* z = row.z + p * row.channels;
    for (std::size_t c = 0; c < row.channels; c += V::kLanes) {
      const std::size_t count = smaller(V::kLanes, row.channels - c);
      typename V::Floats t = affine<V>(epilogue.affine, z, c, count);
      if (epilogue.residual != nullptr) t = V::add(t, V::load(epilogue.residual + at + c, count));
      if (epilogue.activation == Activation::Relu) t = V::relu(t);
      V::store(epilogue.out + at + c, t, count);
    }
  }
}

/// #{l : t > threshold_l} by bisection: thresholds ascend.
[[gnu::always_inline]] inline std::uint8_t search_rank(const RankCodes& ranks, float t) {
  std::size_t passed = 0, left = ranks.count;
  while (left != 0) {
    const std::size_t half = (left + 1) / 2;
    if (t > ranks.thresholds[passed + half - 1]) {
      passed += half;
      left -= half;
    } else {
      left = half - 1;
    }
  }
  return static_cast<std::uint8_t>(passed);
}

template <class V>
[[gnu::always_inline]] inline void ranks_of(const RankCodes& ranks, typename V::Floats t, std::size_t count,
                                            std::uint8_t* out) {
  if (ranks.count <= kMaskThresholds) {
    V::store_count_greater(t, ranks.thresholds, ranks.count, out, count);
  } else {
    alignas(64) float values[V::kLanes];
    V::store(values, t, V::kLanes);
    for (std::size_t c = 0; c < count; ++c) out[c] = search_rank(ranks, values[c]);
  }
}

template <class V>
void apply_ranks(const Epilogue& epilogue, const EpilogueRow& row) noexcept {
  for (std::size_t p = 0; p < row.pixels; ++p) {
    const float* z = row.z + p * row.channels;
    std::uint8_t* out = epilogue.out_ranks + (row.row * row.pixels + p) * row.channels;
    for (std::size_t c = 0; c < row.channels; c += V::kLanes) {
      const std::size_t count = smaller(V::kLanes, row.channels - c);
      ranks_of<V>(epilogue.ranks, affine<V>(epilogue.affine, z, c, count), count, out + c);
    }
  }
}

struct CodeDeltas {
  std::uint32_t base[kMaxActivationPlanes];  ///< all ones where c_0 has the plane's bit
  std::uint32_t flips[kMaskThresholds]
                     [kMaxActivationPlanes];  ///< all ones where c_l and c_{l-1} differ in it
};

[[gnu::always_inline]] inline void fill_deltas(const RankCodes& ranks, std::size_t planes,
                                               CodeDeltas& deltas) {
  for (std::size_t b = 0; b < planes; ++b) {
    deltas.base[b] = 0U - ((static_cast<std::uint32_t>(ranks.code_of_rank[0]) >> b) & 1U);
    for (std::size_t l = 0; l < ranks.count; ++l) {
      const auto flipped = static_cast<std::uint32_t>(ranks.code_of_rank[l] ^ ranks.code_of_rank[l + 1]);
      deltas.flips[l][b] = 0U - ((flipped >> b) & 1U);
    }
  }
}

/// Plane bits of up to 64 channels: words[plane], by masks.
template <class V, std::size_t kPlanes>
[[gnu::always_inline]] inline void planes_by_masks(const Epilogue& epilogue, const CodeDeltas& deltas,
                                                   const float* z, std::size_t c, std::size_t channels,
                                                   std::uint64_t* words) {
  for (std::size_t b = 0; b < kPlanes; ++b) words[b] = 0;
  for (std::size_t i = 0; i < channels; i += V::kLanes) {
    const std::size_t count = smaller(V::kLanes, channels - i);
    const typename V::Floats t = affine<V>(epilogue.affine, z, c + i, count);
    std::uint32_t bits[kPlanes];
    for (std::size_t b = 0; b < kPlanes; ++b) bits[b] = deltas.base[b];
    for (std::size_t l = 0; l < epilogue.ranks.count; ++l) {
      const std::uint32_t passed = V::greater(t, epilogue.ranks.thresholds[l]);
      for (std::size_t b = 0; b < kPlanes; ++b) bits[b] ^= passed & deltas.flips[l][b];
    }
    const std::uint32_t valid = (1U << count) - 1U;
    for (std::size_t b = 0; b < kPlanes; ++b) words[b] |= static_cast<std::uint64_t>(bits[b] & valid) << i;
  }
}

/// The same for any number of thresholds, through ranks and codes.
template <class V>
void planes_by_search(const Epilogue& epilogue, const float* z, std::size_t c, std::size_t channels,
                      std::uint64_t* words) noexcept {
  const std::size_t planes = epilogue.layout.planes;
  alignas(64) std::uint8_t codes[kWordChannels] = {};
  for (std::size_t i = 0; i < channels; i += V::kLanes) {
    const std::size_t count = smaller(V::kLanes, channels - i);
    ranks_of<V>(epilogue.ranks, affine<V>(epilogue.affine, z, c + i, count), count, codes + i);
  }
  for (std::size_t i = 0; i < channels; ++i) codes[i] = epilogue.ranks.code_of_rank[codes[i]];
  for (std::size_t b = 0; b < planes; ++b) {
    words[b] = 0;
    for (std::size_t byte = 0; byte < kWordChannels / 8; ++byte) {
      std::uint64_t eight;
      __builtin_memcpy(&eight, codes + byte * 8, 8);
      // Bit 8i of the masked word lands on bit 56 + i of the product, without carries.
      const std::uint64_t gathered = (((eight >> b) & 0x0101010101010101U) * 0x0102040810204080U) >> 56;
      words[b] |= gathered << (byte * 8);
    }
  }
}

/// One row of the picture; `Words` gives the plane bits of up to 64 channels.
template <class Words>
[[gnu::always_inline]] inline void write_planes(const Epilogue& epilogue, const EpilogueRow& row,
                                                Words words_of) {
  const ActivationLayout& layout = epilogue.layout;
  const std::size_t granule = layout.pixel_bytes(), plane_stride = layout.plane_stride();
  const std::size_t group_channels = layout.group_channels(), planes = layout.planes;
  std::byte* row_start = epilogue.out_planes + row.row * layout.row_bytes();
  std::uint64_t words[kMaxActivationPlanes] = {};
  for (std::size_t group = 0; group < layout.groups; ++group) {
    std::byte* group_start = row_start + group * planes * plane_stride;
    for (std::size_t p = 0; p < row.pixels; ++p) {
      for (std::size_t c = 0; c < group_channels; c += kWordChannels) {
        words_of(row.z + p * row.channels, group * group_channels + c,
                 smaller(kWordChannels, group_channels - c), words);
        std::byte* to = group_start + p * granule + c / 8;
        for (std::size_t b = 0; b < planes; ++b, to += plane_stride) {
          if (granule == 2) {
            __builtin_memcpy(to, &words[b], 2);
          } else if (granule == 4) {
            __builtin_memcpy(to, &words[b], 4);
          } else {
            __builtin_memcpy(to, &words[b], 8);
          }
        }
      }
    }
    const std::size_t used = row.pixels * granule;
    for (std::size_t b = 0; b < planes; ++b) {
      __builtin_memset(group_start + b * plane_stride + used, 0, plane_stride - used);
    }
  }
}

template <class V, std::size_t kPlanes>
void apply_mask_planes(const Epilogue& epilogue, const EpilogueRow& row) noexcept {
  CodeDeltas deltas;
  fill_deltas(epilogue.ranks, kPlanes, deltas);
  write_planes(epilogue, row, [&](const float* z, std::size_t c, std::size_t channels, std::uint64_t* words) {
    planes_by_masks<V, kPlanes>(epilogue, deltas, z, c, channels, words);
  });
}

template <class V>
void apply_searched_planes(const Epilogue& epilogue, const EpilogueRow& row) noexcept {
  write_planes(epilogue, row, [&](const float* z, std::size_t c, std::size_t channels, std::uint64_t* words) {
    planes_by_search<V>(epilogue, z, c, channels, words);
  });
}

template <class V>
void apply_planes(const Epilogue& epilogue, const EpilogueRow& row) noexcept {
  if (epilogue.ranks.count <= kMaskThresholds) {
    switch (epilogue.layout.planes) {
      case 1:
        return apply_mask_planes<V, 1>(epilogue, row);
      case 2:
        return apply_mask_planes<V, 2>(epilogue, row);
      case 3:
        return apply_mask_planes<V, 3>(epilogue, row);
      case 4:
        return apply_mask_planes<V, 4>(epilogue, row);
      default:
        break;  // few thresholds on many planes: no quantizer does this, so it need not be fast
    }
  }
  apply_searched_planes<V>(epilogue, row);
}

template <class V>
void apply_epilogue(const Epilogue& epilogue, const EpilogueRow& row) noexcept {
  switch (epilogue.kind) {
    case EpilogueKind::Float:
      return apply_float<V>(epilogue, row);
    case EpilogueKind::Planes:
      return apply_planes<V>(epilogue, row);
    case EpilogueKind::Ranks:
      return apply_ranks<V>(epilogue, row);
  }
}

}  // namespace
}  // namespace bitplane::kernels
