// SPDX-License-Identifier: Apache-2.0
//
// All numbers of a net by name, and one number that tells two states apart.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "trainer/nn/module.h"

namespace bitplane::train {

/// Parameters and buffers by name.
[[nodiscard]] std::map<std::string, Tensor*> tensors_of(Module& net);
/// Of all of them: another one says that the net was trained on.
[[nodiscard]] std::uint32_t state_checksum(Module& net);

}  // namespace bitplane::train
