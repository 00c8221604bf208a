// SPDX-License-Identifier: Apache-2.0
#include "epilogue/epilogue_infos.h"
#include "epilogue/epilogue_kernel.h"
#include "epilogue/epilogue_table.h"

namespace bitplane::kernels {
namespace {

struct Scalar {
  using Floats = float;
  using Ints = std::int32_t;
  static constexpr std::size_t kLanes = 1;

  static Floats load(const float* p, std::size_t) { return *p; }
  static Ints load(const std::int32_t* p, std::size_t) { return *p; }
  static void store(float* p, Floats x, std::size_t) { *p = x; }
  static Floats broadcast(float x) { return x; }
  static Ints broadcast(std::int32_t x) { return x; }
  static Floats fma(Floats a, Floats b, Floats c) { return __builtin_fmaf(a, b, c); }
  static Floats add(Floats a, Floats b) { return a + b; }
  static Floats relu(Floats x) { return x > 0.0F ? x : 0.0F; }
  static Floats larger(Floats x, Floats best) { return x > best ? x : best; }
  static Ints bit_xor(Ints a, Ints b) { return a ^ b; }
  static std::uint32_t greater(Floats a, Floats b) { return a > b ? 1U : 0U; }
  static std::uint32_t greater(Ints a, Ints b) { return a > b ? 1U : 0U; }
  static Ints count_greater(Ints counts, Floats a, Floats b) { return counts + (a > b ? 1 : 0); }
  static Ints count_greater(Ints counts, Ints a, Ints b) { return counts + (a > b ? 1 : 0); }
  static Ints descend(Ints node, Floats t, const float* tree, unsigned) {
    return 2 * node + (t > tree[node] ? 1 : 0);
  }
  static void store_bytes(std::uint8_t* p, Ints x, std::size_t) { *p = static_cast<std::uint8_t>(x); }
  static void map_codes(std::uint8_t* bytes, const std::uint8_t* table) { map_codes_by_byte(bytes, table); }
  static std::uint64_t plane_word(const std::uint8_t* codes, std::size_t plane) {
    return plane_word_by_products(codes, plane);
  }
};

}  // namespace

constinit const EpilogueKernels kEpilogueScalar{kEpilogueInfos[0].name, Isa::Scalar, apply_epilogue<Scalar>,
                                                max_window<Scalar>};

}  // namespace bitplane::kernels
