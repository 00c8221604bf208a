// SPDX-License-Identifier: Apache-2.0
//
// libFuzzer target (clang, -DBITPLANE_FUZZ=ON). Give it a folder with a model file as its corpus.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "fuzz/model_reader_body.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string wrong = bitplane::fuzz::check_model_reader(std::as_bytes(std::span(data, size)));
  if (!wrong.empty()) {
    std::fprintf(stderr, "%s\n", wrong.c_str());
    std::abort();
  }
  return 0;
}
