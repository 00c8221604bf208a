// SPDX-License-Identifier: Apache-2.0
//
// Fashion-MNIST (Xiao, Rasul and Vollgraf 2017): 60,000 + 10,000 grey pictures of 28x28, ten kinds of
// clothing.
#pragma once

#include "engine/data/dataset.h"

namespace bitplane::engine::data {

Result<PictureSet> load_fashion_mnist(const std::string& dir, Split split);

}  // namespace bitplane::engine::data
