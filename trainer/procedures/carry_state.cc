// SPDX-License-Identifier: Apache-2.0
#include "trainer/procedures/carry_state.h"

#include <algorithm>
#include <map>

#include "trainer/run/net_state.h"

namespace bitplane::train {

CarriedState carry_state(Module& from, Module& to) {
  std::map<std::string, Tensor*> left = tensors_of(from);
  CarriedState carried;
  for (const auto& [name, tensor] : tensors_of(to)) {
    const auto found = left.find(name);
    if (found == left.end() || found->second->shape() != tensor->shape()) {
      carried.fresh.push_back(name);
      continue;
    }
    std::ranges::copy(found->second->values(), tensor->mutable_values().begin());
    left.erase(found);
    ++carried.taken;
  }
  for (const auto& [name, tensor] : left) carried.unused.push_back(name);
  return carried;
}

}  // namespace bitplane::train
