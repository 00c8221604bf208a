// SPDX-License-Identifier: Apache-2.0
#include "bitplane/kernels/isa.h"

#include <cstdlib>

#include "isa_built.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#if defined(__linux__) && defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace bitplane::kernels {
namespace {

#if defined(__x86_64__)

constexpr bool all(std::uint64_t word, std::uint64_t bits) {
  return (word & bits) == bits;
}

/// The register states that the operating system saves (XCR0). An instruction whose state is not saved
/// faults, whatever cpuid says of the processor.
std::uint64_t os_saved_state() {
  std::uint32_t low = 0, high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));  // the intrinsic would need -mxsave
  return (static_cast<std::uint64_t>(high) << 32) | low;
}

/// Tile data is state that Linux saves only for a process that has asked.
constexpr unsigned kTileData = 18;

/// Can Linux give this process the permission? That asks for nothing.
bool os_has_tiles() {
#if defined(__linux__)
  constexpr long kArchGetXcompSupp = 0x1021;
  std::uint64_t features = 0;
  return syscall(SYS_arch_prctl, kArchGetXcompSupp, &features) == 0 && ((features >> kTileData) & 1U) != 0;
#else
  return false;
#endif
}

/// The answer holds for all threads of the process, and for its children.
bool ask_for_tiles() {
#if defined(__linux__)
  constexpr long kArchReqXcompPerm = 0x1023;
  return syscall(SYS_arch_prctl, kArchReqXcompPerm, static_cast<unsigned long>(kTileData)) == 0;
#else
  return false;
#endif
}

/// The levels above AVX2; `ecx` and `edx` are of cpuid leaf 7, subleaf 0.
std::uint32_t isas_above_avx2(std::uint32_t ebx, std::uint32_t ecx, std::uint32_t edx, std::uint64_t saved) {
  constexpr std::uint64_t kZmmState = 0xe6;      // xmm, ymm, opmask, zmm 0-15 upper halves, zmm 16-31
  constexpr std::uint64_t kTileState = 0x60000;  // tile configuration, tile data
  constexpr std::uint32_t kAvxVnni = 1U << 4, kAvx512Bf16 = 1U << 5;        // leaf 7, subleaf 1, eax
  constexpr std::uint32_t kAmxBits = (1U << 22) | (1U << 24) | (1U << 25);  // BF16, TILE, INT8
  std::uint32_t isas = 0, eax1 = 0, ebx1 = 0, ecx1 = 0, edx1 = 0;
  if (__get_cpuid_count(7, 1, &eax1, &ebx1, &ecx1, &edx1) != 0 && all(eax1, kAvxVnni))
    isas |= isa_bit(Isa::AvxVnni);
  const bool avx512 =
      all(ebx, std::uint64_t{bit_AVX512F} | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL) &&
      all(ecx, std::uint64_t{bit_AVX512VPOPCNTDQ} | bit_AVX512BITALG | bit_AVX512VBMI | bit_AVX512VNNI) &&
      all(saved, kZmmState);
  if (!avx512) return isas;
  isas |= isa_bit(Isa::Avx512);
  if (!all(eax1, kAvx512Bf16)) return isas;
  isas |= isa_bit(Isa::Avx512Bf16);
  const bool amx = all(edx, kAmxBits) && all(saved, kTileState) && os_has_tiles();
  return amx ? isas | isa_bit(Isa::Amx) : isas;
}

std::uint32_t cpu_isas() {
  constexpr std::uint64_t kYmmState = 0x6;  // xmm, ymm
  std::uint32_t isas = isa_bit(Isa::Scalar);
  std::uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0 || !all(ecx, bit_OSXSAVE)) return isas;
  const std::uint64_t saved = os_saved_state();
  const bool avx = all(ecx, std::uint64_t{bit_AVX} | bit_FMA | bit_POPCNT) && all(saved, kYmmState);
  if (!avx || __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0 || !all(ebx, bit_AVX2)) return isas;
  return isas | isa_bit(Isa::Avx2) | isas_above_avx2(ebx, ecx, edx, saved);
}

#elif defined(__aarch64__)

std::uint32_t cpu_isas() {
  const std::uint32_t isas = isa_bit(Isa::Scalar) | isa_bit(Isa::Neon);  // AArch64 always has it
#if defined(__linux__)
  return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0 ? isas | isa_bit(Isa::NeonDot) : isas;
#else
  return isas;
#endif
}

#else

std::uint32_t cpu_isas() {
  return isa_bit(Isa::Scalar);
}

#endif

}  // namespace

std::string_view isa_name(Isa isa) noexcept {
  for (const IsaInfo& info : kIsas) {
    if (info.isa == isa) return info.name;
  }
  return {};
}

std::optional<Isa> parse_isa(std::string_view name) noexcept {
  for (const IsaInfo& info : kIsas) {
    if (info.name == name) return info.isa;
  }
  return std::nullopt;
}

Isa CpuFeatures::best() const noexcept {
  Isa best = Isa::Scalar;
  for (const IsaInfo& info : kIsas) {
    if (has(info.isa)) best = info.isa;
  }
  return best;
}

CpuFeatures CpuFeatures::limited_to(Isa level) const noexcept {
  return {.isas = isas & ((isa_bit(level) << 1) - 1)};
}

bool isa_is_built(Isa isa) noexcept {
  return (kBuiltIsas & isa_bit(isa)) != 0;
}

CpuFeatures detect_cpu() noexcept {
  return {.isas = cpu_isas() & kBuiltIsas};
}

CpuFeatures permitted(CpuFeatures features) noexcept {
#if defined(__x86_64__)
  if (features.has(Isa::Amx) && !ask_for_tiles()) features.isas &= ~isa_bit(Isa::Amx);
#endif
  return features;
}

IsaResolution resolve_isa(std::string_view requested) noexcept {
  IsaResolution resolution{.requested = requested, .features = detect_cpu()};
  if (resolution.requested.empty()) {
    const char* value = std::getenv("BITPLANE_ISA");
    if (value != nullptr) resolution.requested = value;
  }
  if (resolution.requested.empty()) {
    resolution.features = permitted(resolution.features);
    return resolution;
  }
  const std::optional<Isa> level = parse_isa(resolution.requested);
  if (!level) {
    resolution.error = IsaError::UnknownName;
    return resolution;
  }
  if (resolution.features.has(*level))
    resolution.features = permitted(resolution.features.limited_to(*level));
  if (!resolution.features.has(*level)) resolution.error = IsaError::Unsupported;
  return resolution;
}

}  // namespace bitplane::kernels
