// SPDX-License-Identifier: Apache-2.0
//
// Batches, prepared ahead of the step that takes them by threads of their own. Which thread makes which
// picture is free; order, bytes and labels are functions of the options alone, whatever the number of
// workers. A bounded ring of batches is filled again and again: nothing is allocated in a steady state (but
// for what decoding the files of a streamed set takes).
//
// It goes on from epoch to epoch by itself, so that the next epoch's first batches are ready when a test of
// the net is over.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "trainer/data/batch.h"

namespace bitplane::train {

enum class PictureOrder : std::uint8_t { Shuffled, AsStored };

struct LoaderOptions {
  std::size_t batch = 1;
  std::size_t workers = 1;  ///< 0: next() makes the pictures itself
  PictureOrder order = PictureOrder::Shuffled;
  std::uint64_t seed = 0;             ///< of the order
  std::uint64_t epoch = 0, step = 0;  ///< the first batch that next() gives
  std::uint64_t epochs = 1;           ///< ends behind epoch epochs - 1
};

class Loader {
 public:
  /// `maker` stays the caller's and must outlive the loader.
  Loader(const PictureMaker& maker, const LoaderOptions& options);
  /// Stops the workers at their next picture and waits for them.
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  /// The next batch, the last one of an epoch being shorter. It stays as it is until the next call. Throws
  /// what making its first bad picture threw, and std::out_of_range behind the last batch.
  const Batch& next();

  /// Seconds that next() has waited or worked so far.
  [[nodiscard]] double seconds_waited() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace bitplane::train
