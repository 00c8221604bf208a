// SPDX-License-Identifier: Apache-2.0
#include <cassert>

#include "peaks/loops.h"

namespace bitplane::peaks {
namespace {

#ifdef BITPLANE_HAVE_AVX2
struct Ymm {
  static constexpr std::size_t kBytes = 32;
  static void load(const std::byte* p) { asm volatile("vmovdqa %0, %%ymm0" : : "m"(*p) : "xmm0"); }
};
#endif
#ifdef BITPLANE_HAVE_AVX512
struct Zmm {
  static constexpr std::size_t kBytes = 64;
  static void load(const std::byte* p) { asm volatile("vmovdqa64 %0, %%zmm0" : : "m"(*p) : "xmm0"); }
};
#endif

#if defined(BITPLANE_HAVE_AVX2) || defined(BITPLANE_HAVE_AVX512)
/// Reads the parts of the buffer side by side, a kilobyte per round.
template <class Register, std::size_t kStreams>
void read_streams(const std::byte* data, std::size_t bytes) {
  constexpr std::size_t kRun = 1024 / kStreams;
  const std::size_t part = bytes / kStreams;
  for (const std::byte* const end = data + part; data != end; data += kRun) {
    for (std::size_t stream = 0; stream < kStreams; ++stream) {
      for (std::size_t at = 0; at < kRun; at += Register::kBytes) Register::load(data + stream * part + at);
    }
  }
}

/// Memory wants more streams than the caches do: with 4 KiB pages a processor's prefetchers stop at the end
/// of each, and several of them have more requests under way (Zen 4, 144 MiB: 18 GB/s with one, 29 with
/// eight; 24 KiB: 212 with two, 204 with eight).
template <class Register>
void read_all(const std::byte* data, std::size_t bytes) {
  constexpr std::size_t kBeyondCaches = std::size_t{24} << 20;
  if (bytes >= kBeyondCaches) return read_streams<Register, 8>(data, bytes);
  read_streams<Register, 2>(data, bytes);
}
#endif

}  // namespace

bool can_read(kernels::Isa isa) {
#ifdef BITPLANE_HAVE_AVX512
  if (isa >= kernels::Isa::Avx512) return true;
#endif
#ifdef BITPLANE_HAVE_AVX2
  if (isa == kernels::Isa::Avx2 || isa == kernels::Isa::AvxVnni) return true;
#endif
  static_cast<void>(isa);
  return false;
}

void read_once(kernels::Isa isa, const std::byte* data, std::size_t bytes) {
  assert(can_read(isa) && bytes != 0 && bytes % 1024 == 0);
#ifdef BITPLANE_HAVE_AVX512
  if (isa >= kernels::Isa::Avx512) return read_all<Zmm>(data, bytes);
#endif
#ifdef BITPLANE_HAVE_AVX2
  if (isa == kernels::Isa::Avx2 || isa == kernels::Isa::AvxVnni) return read_all<Ymm>(data, bytes);
#endif
  static_cast<void>(isa);
  static_cast<void>(data);
  static_cast<void>(bytes);
}

}  // namespace bitplane::peaks
