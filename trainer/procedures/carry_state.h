// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "trainer/nn/module.h"

namespace bitplane::train {

/// What went from one net to the next.
struct CarriedState {
  std::size_t taken = 0;
  std::vector<std::string> fresh;   ///< of the next net, without a counterpart: as it starts by itself
  std::vector<std::string> unused;  ///< of the net before
};

/// Copies every parameter and buffer that `to` has under the same name in the same shape.
CarriedState carry_state(Module& from, Module& to);

}  // namespace bitplane::train
