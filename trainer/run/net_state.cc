// SPDX-License-Identifier: Apache-2.0
#include "trainer/run/net_state.h"

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

}  // namespace bitplane::train
