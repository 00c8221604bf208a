// SPDX-License-Identifier: Apache-2.0
//
// Pictures in one folder per class: DIR/train/CLASS/*.png, *.jpg, *.jpeg, and the same in DIR/test or
// DIR/val. Classes and files are sorted by name, byte by byte, so that labels and order are the same
// everywhere.
#pragma once

#include "engine/data/dataset.h"
#include "engine/data/picture.h"
#include "engine/data/resample.h"

namespace bitplane::engine::data {

inline constexpr std::size_t kStreamedSide = 224;

/// Everything in memory. All pictures have one size; the set is grey when every picture of the split is.
Result<PictureSet> load_folder(const std::string& dir, Split split);

/// Lists the names of files and opens none of them: 224x224x3, streamed.
Result<PictureSet> list_folder_224(const std::string& dir, Split split);

/// What inference cuts out of a picture of any size before it is scaled to height x width: the middle, of the
/// wanted aspect ratio, as if the picture had been scaled to 256 for each 224 first.
[[nodiscard]] Window inference_window(const Picture& picture, std::size_t height, std::size_t width) noexcept;

}  // namespace bitplane::engine::data
