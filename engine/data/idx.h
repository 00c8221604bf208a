// SPDX-License-Identifier: Apache-2.0
//
// IDX, the format of MNIST and its relatives: 0, 0, type, number of dimensions, each dimension as a
// big-endian 32-bit number, then the values. Only unsigned bytes occur here. Files are read plain or gzipped,
// whichever they are: the content decides, not the name.
//
// A header is believed only as far as the file has bytes for it, so a corrupt one cannot make us allocate.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "bitplane/status.h"

namespace bitplane::engine::data {

struct IdxPictures {
  std::size_t count = 0, height = 0, width = 0;
  std::vector<std::uint8_t> pixels;  ///< [count][height][width]
};

Result<IdxPictures> read_idx_pictures(const std::string& path);

/// Every label is below `classes`.
Result<std::vector<std::uint8_t>> read_idx_labels(const std::string& path, std::size_t classes);

}  // namespace bitplane::engine::data
