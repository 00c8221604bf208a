// SPDX-License-Identifier: Apache-2.0
//
// Instruction sets and CPU detection. The list of ISAs is kIsas: dispatch, tests, benchmarks, `--version` and
// the docs all come from it. Each level is a superset of those above it of the same processor family (a CPU
// may lack a level and have the next: many with AVX-512 have no AVX-VNNI).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace bitplane::kernels {

enum class Isa : std::uint8_t { Scalar, Neon, NeonDot, Avx2, AvxVnni, Avx512, Avx512Bf16, Amx };

struct IsaInfo {
  Isa isa;
  std::string_view name;   ///< what BITPLANE_ISA and --isa take
  std::string_view needs;  ///< CPU features, for people
};

/// Weakest first.
inline constexpr std::array<IsaInfo, 8> kIsas{{
    {Isa::Scalar, "scalar", "nothing"},
    {Isa::Neon, "neon", "Advanced SIMD of AArch64"},
    {Isa::NeonDot, "neondot", "Advanced SIMD with the dot product extension"},
    {Isa::Avx2, "avx2", "AVX2, FMA"},
    {Isa::AvxVnni, "avxvnni", "AVX2, AVX-VNNI"},
    {Isa::Avx512, "avx512", "AVX-512 F, BW, DQ, VL, VPOPCNTDQ, BITALG, VBMI, VNNI"},
    {Isa::Avx512Bf16, "avx512bf16", "AVX-512 as above, BF16"},
    {Isa::Amx, "amx", "AVX-512 as above, AMX tiles, INT8, BF16"},
}};

[[nodiscard]] std::string_view isa_name(Isa isa) noexcept;
[[nodiscard]] std::optional<Isa> parse_isa(std::string_view name) noexcept;

/// The ISAs that may run: compiled into this binary AND offered by this CPU and operating system.
struct CpuFeatures {
  std::uint32_t isas = 1;  ///< bit i: kIsas entry with value i

  [[nodiscard]] constexpr bool has(Isa isa) const noexcept {
    return ((isas >> static_cast<unsigned>(isa)) & 1U) != 0;
  }
  [[nodiscard]] Isa best() const noexcept;
  /// The same features without any level above `level`.
  [[nodiscard]] CpuFeatures limited_to(Isa level) const noexcept;
};

/// Was this ISA compiled into the binary? (Separate question from what the CPU has.)
[[nodiscard]] bool isa_is_built(Isa isa) noexcept;
/// What could run here. Asks the operating system for nothing: before kernels of the level `amx` run, the
/// features go through resolve_isa() or permitted().
[[nodiscard]] CpuFeatures detect_cpu() noexcept;
/// The features that the operating system lets this process use. With Amx among them, Linux is asked for the
/// tiles' state: that is for the whole process and its children and cannot be taken back, and sigaltstack()
/// refuses small stacks from then on (8 KiB are too few). Where it refuses (a thread has such a stack
/// already), the level is lowered. Without Amx nobody is asked for anything.
[[nodiscard]] CpuFeatures permitted(CpuFeatures features) noexcept;

enum class IsaError : std::uint8_t { None, UnknownName, Unsupported };

struct IsaResolution {
  IsaError error = IsaError::None;
  std::string_view requested;  ///< the name that was asked for (points into the argument or the environment)
  CpuFeatures features;        ///< valid when error is None
};

/// `requested` empty: the environment variable BITPLANE_ISA; that empty too: everything detected.
/// An unknown or unsupported name is an error, never a silent fallback. The features are permitted().
[[nodiscard]] IsaResolution resolve_isa(std::string_view requested) noexcept;

}  // namespace bitplane::kernels
