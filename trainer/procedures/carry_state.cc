// SPDX-License-Identifier: Apache-2.0
#include "trainer/procedures/carry_state.h"

#include <algorithm>
#include <span>
#include <vector>

#include "trainer/run/crc32c.h"

namespace bitplane::train {

std::map<std::string, Tensor*> tensors_of(Module& net) {
  std::map<std::string, Tensor*> tensors;
  for (const NamedParameter& p : named_parameters(net))
    tensors[p.name] = &p.parameter->variable.mutable_value();
  for (const NamedBuffer& b : named_buffers(net)) tensors[b.name] = b.buffer;
  return tensors;
}

std::uint32_t state_checksum(Module& net) {
  std::vector<std::uint32_t> sums;
  for (const auto& [name, tensor] : tensors_of(net)) sums.push_back(crc32c(std::as_bytes(tensor->values())));
  return crc32c(std::as_bytes(std::span(sums)));
}

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
