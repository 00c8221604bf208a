// SPDX-License-Identifier: Apache-2.0
//
// Selection, and the packed form of indices and levels.
#include "bitplane/kernels/codebook.h"

#include <algorithm>
#include <bit>
#include <cassert>

#include "codebook/codebook_kernels.h"
#include "codebook/indices.h"

namespace bitplane::kernels {
namespace {

/// Best first.
constexpr const CodebookKernels* kTables[] = {
#ifdef BITPLANE_HAVE_AVX512
    &kCodebookAvx512,
#endif
#ifdef BITPLANE_HAVE_AVX2
    &kCodebookAvx2,
#endif
#ifdef BITPLANE_HAVE_NEON
    &kCodebookNeon,
#endif
    &kCodebookScalar,
};

/// 3 bits take 4, and 5 to 7 take 8: a step's indices are whole bytes and a channel's never straddle words.
constexpr std::size_t bits_for_levels(std::size_t count) {
  return count <= 2 ? 1 : count <= 4 ? 2 : count <= 16 ? 4 : 8;
}

/// Registers are loaded whole, and permutations may look at bits above the index: shorter tables are
/// repeated.
constexpr std::size_t kLeastTable = 16;

}  // namespace

const CodebookKernels& select_codebook(CpuFeatures features) noexcept {
  for (const CodebookKernels* table : kTables) {
    if (features.has(table->isa)) return *table;
  }
  return kCodebookScalar;
}

CodebookWeights::CodebookWeights(const CodebookSpec& spec)
    : groups_(spec.shape.groups),
      k_(spec.shape.filter_size()),
      group_channels_(spec.shape.out_channels / spec.shape.groups),
      panels_((group_channels_ + kF32PanelWidth - 1) / kF32PanelWidth),
      index_bits_(bits_for_levels(spec.level_count)),
      level_count_(std::max<std::size_t>(2, std::bit_ceil(spec.level_count))),
      // Two levels are a blend of two registers, whatever they are per.
      scope_(index_bits_ == 1 ? LevelScope::Channel : spec.scope),
      indices_(groups_ * panels_ * k_ * 2 * index_bits_),
      levels_(scope_ == LevelScope::Layer ? std::max(kLeastTable, level_count_)
                                          : groups_ * panels_ * level_count_ * kF32PanelWidth) {
  assert(spec.level_count >= 1 && spec.level_count <= kMaxCodebookLevels);
  pack_indices(spec.indices);
  lay_out_levels(spec);
}

void CodebookWeights::pack_indices(const std::uint8_t* indices) noexcept {
  for (std::size_t group = 0; group < groups_; ++group) {
    for (std::size_t channel = 0; channel < group_channels_; ++channel) {
      const std::size_t panel = group * panels_ + channel / kF32PanelWidth;
      const IndexPlace place = place_of_index(index_bits_, channel % kF32PanelWidth);
      std::uint8_t* to = indices_.data() + panel * k_ * 2 * index_bits_ + place.byte;
      for (std::size_t t = 0; t < k_; ++t, ++indices, to += 2 * index_bits_) {
        assert(*indices < level_count_);
        *to = static_cast<std::uint8_t>(*to | *indices << place.shift);
      }
    }
  }
}

void CodebookWeights::lay_out_levels(const CodebookSpec& spec) noexcept {
  // An index that no weight has stands for level 0.
  const auto entry = [&](std::size_t channel, std::size_t index) {
    const std::size_t level = index < spec.level_count ? index : 0;
    return spec.levels[spec.scope == LevelScope::Layer ? level : channel * spec.level_count + level];
  };
  if (scope_ == LevelScope::Layer) {
    for (std::size_t i = 0; i < levels_.size(); ++i) levels_[i] = entry(0, i % level_count_);
    return;
  }
  for (std::size_t group = 0; group < groups_; ++group) {
    for (std::size_t channel = 0; channel < group_channels_; ++channel) {
      const std::size_t panel = group * panels_ + channel / kF32PanelWidth;
      for (std::size_t index = 0; index < level_count_; ++index) {
        levels_[(panel * level_count_ + index) * kF32PanelWidth + channel % kF32PanelWidth] =
            entry(group * group_channels_ + channel, index);
      }
    }
  }
}

CodebookPanel CodebookWeights::panel(std::size_t group, std::size_t panel, std::size_t first,
                                     std::size_t steps) const noexcept {
  assert(group < groups_ && panel < panels_ && first + steps <= k_);
  const std::size_t at = group * panels_ + panel;
  const bool layer = scope_ == LevelScope::Layer;
  return {.indices = indices_.data() + (at * k_ + first) * 2 * index_bits_,
          .index_bits = index_bits_,
          .levels = levels_.data() + (layer ? 0 : at * level_count_ * kF32PanelWidth),
          .level_count = level_count_,
          .scope = scope_,
          .steps = steps};
}

CodebookRow CodebookWeights::row(std::size_t group) const noexcept {
  return {.panel = panel(group, 0, 0, k_),
          .index_stride = k_ * 2 * index_bits_,
          .level_stride = scope_ == LevelScope::Layer ? 0 : level_count_ * kF32PanelWidth,
          .columns = group_channels_};
}

}  // namespace bitplane::kernels
