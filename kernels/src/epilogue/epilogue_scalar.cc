// SPDX-License-Identifier: Apache-2.0
#include "epilogue/epilogue_infos.h"
#include "epilogue/epilogue_kernel.h"
#include "epilogue/epilogue_table.h"

namespace bitplane::kernels {
namespace {

struct Scalar {
  using Floats = float;
  static constexpr std::size_t kLanes = 1;

  static Floats load(const float* p, std::size_t) { return *p; }
  static void store(float* p, Floats x, std::size_t) { *p = x; }
  static Floats fma(Floats a, Floats b, Floats c) { return __builtin_fmaf(a, b, c); }
  static Floats add(Floats a, Floats b) { return a + b; }
  static Floats relu(Floats x) { return x > 0.0F ? x : 0.0F; }
  static std::uint32_t greater(Floats x, float threshold) { return x > threshold ? 1U : 0U; }
  static void store_count_greater(Floats x, const float* thresholds, std::size_t count, std::uint8_t* out,
                                  std::size_t) {
    std::uint32_t rank = 0;
    for (std::size_t l = 0; l < count; ++l) rank += greater(x, thresholds[l]);
    *out = static_cast<std::uint8_t>(rank);
  }
};

}  // namespace

constinit const EpilogueKernels kEpilogueScalar{kEpilogueInfos[0].name, Isa::Scalar, apply_epilogue<Scalar>};

}  // namespace bitplane::kernels
