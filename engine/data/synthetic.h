// SPDX-License-Identifier: Apache-2.0
//
// A picture set that needs no download: ten kinds of shapes and textures, drawn anywhere, turned, scaled,
// light on dark or dark on light, under an uneven light, with noise, distractors and an occluding bar.
// Position and polarity vary so much that a linear classifier on the pixels fails; a small convolutional net
// learns it.
//
// Every number comes from a hash of (split, picture, counter) and from +, -, *, / and sqrt, which IEEE 754
// defines exactly: the same pictures on every machine.
#pragma once

#include "engine/data/dataset.h"

namespace bitplane::engine::data {

/// `dir` is not used.
Result<PictureSet> load_synthetic(const std::string& dir, Split split);

}  // namespace bitplane::engine::data
