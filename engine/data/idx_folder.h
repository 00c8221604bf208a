// SPDX-License-Identifier: Apache-2.0
//
// The four IDX files of MNIST and its relatives in one folder, each plain or with .gz:
// {train,t10k}-images-idx3-ubyte and {train,t10k}-labels-idx1-ubyte.
#pragma once

#include <string_view>

#include "engine/data/dataset.h"

namespace bitplane::engine::data {

/// What must be in the files.
struct IdxSet {
  std::string_view dataset;              ///< its name in the list
  std::size_t side = 0;                  ///< of the pictures; 0: any size
  std::vector<std::string> class_names;  ///< every label is below their number
};
Result<PictureSet> read_idx_folder(const std::string& dir, Split split, const IdxSet& expected);

/// Pictures of any size; as many classes as the training labels say ("0", "1", ...), or the test labels where
/// there are no training labels.
Result<PictureSet> load_idx_folder(const std::string& dir, Split split);

}  // namespace bitplane::engine::data
