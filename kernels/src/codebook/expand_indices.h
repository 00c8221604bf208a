// SPDX-License-Identifier: Apache-2.0
//
// Expansion one index at a time, for ISAs without a vector form of it. Included by per-ISA files only.
#pragma once

#include "bitplane/kernels/codebook.h"
#include "codebook/indices.h"

namespace bitplane::kernels {
namespace {

inline void expand_indices(const CodebookPanel& panel) noexcept {
  const unsigned mask = (1U << panel.index_bits) - 1U;
  const bool per_channel = panel.scope == LevelScope::Channel;
  const std::uint8_t* step = panel.indices;
  float* out = panel.out;
  for (std::size_t t = 0; t < panel.steps; ++t, step += 2 * panel.index_bits, out += kF32PanelWidth) {
    for (std::size_t c = 0; c < kF32PanelWidth; ++c) {
      const IndexPlace place = place_of_index(panel.index_bits, c);
      const std::size_t index = (step[place.byte] >> place.shift) & mask;
      out[c] = panel.levels[per_channel ? index * kF32PanelWidth + c : index];
    }
  }
}

inline MultiplyCodebookRow no_row_form(const CodebookPanel&) noexcept {
  return nullptr;
}

}  // namespace
}  // namespace bitplane::kernels
