// SPDX-License-Identifier: Apache-2.0
#include "bitplane/kernels/isa.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <set>
#include <sstream>
#include <string>

#if defined(__linux__) && defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace bitplane::kernels {
namespace {

/// Sets BITPLANE_ISA for one test and restores it.
class IsaEnvironment {
 public:
  explicit IsaEnvironment(const char* value) {
    if (const char* old = std::getenv("BITPLANE_ISA")) old_ = old;
    setenv("BITPLANE_ISA", value, 1);
  }
  ~IsaEnvironment() {
    if (old_) {
      setenv("BITPLANE_ISA", old_->c_str(), 1);
    } else {
      unsetenv("BITPLANE_ISA");
    }
  }
  IsaEnvironment(const IsaEnvironment&) = delete;
  IsaEnvironment& operator=(const IsaEnvironment&) = delete;

 private:
  std::optional<std::string> old_;
};

TEST(Isa, NamesRoundTripAndAscend) {
  for (std::size_t i = 0; i < kIsas.size(); ++i) {
    EXPECT_EQ(static_cast<std::size_t>(kIsas[i].isa), i);
    EXPECT_EQ(parse_isa(kIsas[i].name), kIsas[i].isa);
    EXPECT_EQ(isa_name(kIsas[i].isa), kIsas[i].name);
  }
  EXPECT_FALSE(parse_isa("").has_value());
  EXPECT_FALSE(parse_isa("AVX2").has_value());
  EXPECT_FALSE(parse_isa("avx512 ").has_value());
}

TEST(Isa, LimitedToDropsEveryLevelAbove) {
  const CpuFeatures everything{.isas = (1U << kIsas.size()) - 1};
  EXPECT_EQ(everything.best(), kIsas.back().isa);
  for (const IsaInfo& limit : kIsas) {
    const CpuFeatures limited = everything.limited_to(limit.isa);
    EXPECT_EQ(limited.best(), limit.isa);
    for (const IsaInfo& info : kIsas) EXPECT_EQ(limited.has(info.isa), info.isa <= limit.isa) << info.name;
  }
}

TEST(Isa, DetectionOffersOnlyWhatWasBuilt) {
  const CpuFeatures features = detect_cpu();
  EXPECT_TRUE(features.has(Isa::Scalar));
  for (const IsaInfo& info : kIsas) {
    if (features.has(info.isa)) {
      EXPECT_TRUE(isa_is_built(info.isa)) << info.name;
    }
  }
}

#if defined(__x86_64__)
// The compiler's own detection is the oracle of ours.
TEST(Isa, DetectionAgreesWithTheCompilersRuntime) {
  const bool avx2 =
      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("popcnt");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512vpopcntdq") && __builtin_cpu_supports("avx512bitalg") &&
                      __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vnni");
  const CpuFeatures features = detect_cpu();
  EXPECT_EQ(features.has(Isa::Avx2), avx2 && isa_is_built(Isa::Avx2));
  EXPECT_EQ(features.has(Isa::Avx512), avx512 && isa_is_built(Isa::Avx512));
  EXPECT_EQ(features.has(Isa::Avx512Bf16),
            avx512 && __builtin_cpu_supports("avx512bf16") && isa_is_built(Isa::Avx512Bf16));
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12  // Clang 14 does not know these names
  EXPECT_EQ(features.has(Isa::AvxVnni),
            avx2 && __builtin_cpu_supports("avxvnni") && isa_is_built(Isa::AvxVnni));
  const bool amx = avx512 && __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("amx-tile") &&
                   __builtin_cpu_supports("amx-int8") && __builtin_cpu_supports("amx-bf16");
  EXPECT_EQ(features.has(Isa::Amx), amx && isa_is_built(Isa::Amx));
#endif
}
#endif

#if defined(__linux__) && defined(__x86_64__)
// What the operating system says of the processor is an oracle too, whatever the compiler knows.
TEST(Isa, DetectionAgreesWithTheOperatingSystem) {
  std::set<std::string> flags;
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; flags.empty() && std::getline(file, line);) {
    if (!line.starts_with("flags")) continue;
    std::istringstream words(line.substr(line.find(':') + 1));
    flags.insert(std::istream_iterator<std::string>(words), std::istream_iterator<std::string>());
  }
  if (flags.empty()) GTEST_SKIP() << "/proc/cpuinfo lists no flags";
  const auto has = [&](std::initializer_list<const char*> names) {
    return std::ranges::all_of(names, [&](const char* name) { return flags.contains(name); });
  };
  const bool avx2 = has({"avx2", "fma", "popcnt"});
  const bool avx512 = avx2 && has({"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vpopcntdq",
                                   "avx512_bitalg", "avx512vbmi", "avx512_vnni"});
  const bool bf16 = avx512 && has({"avx512_bf16"});
  const CpuFeatures features = detect_cpu();
  EXPECT_EQ(features.has(Isa::Avx2), avx2 && isa_is_built(Isa::Avx2));
  EXPECT_EQ(features.has(Isa::AvxVnni), avx2 && has({"avx_vnni"}) && isa_is_built(Isa::AvxVnni));
  EXPECT_EQ(features.has(Isa::Avx512), avx512 && isa_is_built(Isa::Avx512));
  EXPECT_EQ(features.has(Isa::Avx512Bf16), bf16 && isa_is_built(Isa::Avx512Bf16));
  EXPECT_EQ(features.has(Isa::Amx),
            bf16 && has({"amx_tile", "amx_int8", "amx_bf16"}) && isa_is_built(Isa::Amx));
}
#endif

#if defined(__linux__) && defined(__aarch64__)
// The processor's own register is the oracle of what the kernel tells us about it.
TEST(Isa, DetectionAgreesWithTheIdentificationRegister) {
  if ((getauxval(AT_HWCAP) & HWCAP_CPUID) == 0) GTEST_SKIP() << "this kernel keeps the register to itself";
  std::uint64_t features = 0;
  asm("mrs %0, s3_0_c0_c6_0" : "=r"(features));  // ID_AA64ISAR0_EL1
  const bool dot_products = ((features >> 44) & 15U) != 0;
  EXPECT_EQ(detect_cpu().has(Isa::Neon), isa_is_built(Isa::Neon));
  EXPECT_EQ(detect_cpu().has(Isa::NeonDot), dot_products && isa_is_built(Isa::NeonDot));
}
#endif

TEST(Isa, ResolveLimitsToTheRequest) {
  const IsaEnvironment environment("scalar");
  const IsaResolution fallback = resolve_isa("");
  EXPECT_EQ(fallback.error, IsaError::None);
  EXPECT_EQ(fallback.requested, "scalar");
  EXPECT_EQ(fallback.features.best(), Isa::Scalar);
  for (const IsaInfo& info : kIsas) {
    const IsaResolution asked = resolve_isa(info.name);  // beats the environment
    if (detect_cpu().has(info.isa)) {
      EXPECT_EQ(asked.error, IsaError::None);
      EXPECT_EQ(asked.features.best(), info.isa);
    } else {
      EXPECT_EQ(asked.error, IsaError::Unsupported);
    }
  }
}

TEST(Isa, ResolveRefusesWhatItDoesNotKnow) {
  const IsaResolution asked = resolve_isa("sse9");
  EXPECT_EQ(asked.error, IsaError::UnknownName);
  EXPECT_EQ(asked.requested, "sse9");
  const IsaEnvironment environment("turbo");
  EXPECT_EQ(resolve_isa("").error, IsaError::UnknownName);
  EXPECT_EQ(resolve_isa("").requested, "turbo");
}

TEST(Isa, EmptyRequestAndEnvironmentMeanEverything) {
  const IsaEnvironment environment("");
  EXPECT_EQ(resolve_isa("").error, IsaError::None);
  EXPECT_EQ(resolve_isa("").features.isas, detect_cpu().isas);
}

// The machine that runs the tests says which ISAs must not be skipped: BITPLANE_REQUIRE_ISA=avx2,avx512.
TEST(Isa, RequiredIsasAreCovered) {
  const char* required = std::getenv("BITPLANE_REQUIRE_ISA");
  if (required == nullptr) GTEST_SKIP() << "BITPLANE_REQUIRE_ISA is not set";
  std::istringstream names(required);
  for (std::string name; std::getline(names, name, ',');) {
    const std::optional<Isa> isa = parse_isa(name);
    ASSERT_TRUE(isa.has_value()) << name;
    EXPECT_TRUE(detect_cpu().has(*isa)) << name << " is required and cannot run here";
  }
}

}  // namespace
}  // namespace bitplane::kernels
