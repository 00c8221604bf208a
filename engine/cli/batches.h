// SPDX-License-Identifier: Apache-2.0
//
// A whole set of pictures through one session, batch after batch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "bitplane/engine.h"
#include "engine/data/dataset.h"

namespace bitplane::cli {

/// What the session holds after a run: pictures [first, first + count) of the set.
struct Batch {
  std::size_t first = 0, count = 0;
};

/// Pictures per run of a set of `count`: enough for every thread, small enough for the caches.
[[nodiscard]] std::size_t batch_for(std::size_t count, std::size_t threads) noexcept;

/// Runs the set and calls `after` behind each batch; the session's batch fixes the size, and the last batch
/// is filled up with the set's first pictures. Returns the seconds spent in the engine alone.
double run_in_batches(engine::Session& session, std::size_t batch, const engine::data::PictureSet& set,
                      const std::function<void(const Batch&)>& after);

/// The largest entry, the first one at a tie.
[[nodiscard]] std::size_t argmax(std::span<const float> values) noexcept;

}  // namespace bitplane::cli
