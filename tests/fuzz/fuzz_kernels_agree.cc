// SPDX-License-Identifier: Apache-2.0
//
// libFuzzer target (clang, -DBITPLANE_FUZZ=ON): all low-bit kernels of this machine against the reference.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "fuzz/kernels_agree_body.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string wrong = bitplane::fuzz::check_kernels_agree(std::as_bytes(std::span(data, size)));
  if (!wrong.empty()) {
    std::fprintf(stderr, "%s\n", wrong.c_str());
    std::abort();
  }
  return 0;
}
