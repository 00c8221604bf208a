// SPDX-License-Identifier: Apache-2.0
//
// The JSON header of a safetensors file, syntax only: which tensors it names, before anything is compared
// with the bytes behind it.
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "bitplane/safetensors.h"
#include "bitplane/status.h"

namespace bitplane::engine {

struct HeaderTensor {
  std::string name;
  DType dtype = DType::F32;
  std::vector<std::size_t> shape;
  std::size_t begin = 0, end = 0;  ///< offsets into the data behind the header
};

struct Header {
  std::map<std::string, std::string> metadata;
  std::vector<HeaderTensor> tensors;  ///< in the header's order
};

/// Refuses everything that the format does not have: other JSON types, unknown or repeated keys, deeper
/// nesting.
Result<Header> parse_header(std::string_view json);

}  // namespace bitplane::engine
