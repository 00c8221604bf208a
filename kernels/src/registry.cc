// SPDX-License-Identifier: Apache-2.0
#include "bitplane/kernels/registry.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>

#include "bf16/bf16_infos.h"
#include "bitserial/bitserial_infos.h"
#include "codebook/codebook_infos.h"
#include "dot/dot_infos.h"
#include "elementwise/elementwise_infos.h"
#include "epilogue/epilogue_infos.h"
#include "f32/f32_infos.h"
#include "isa_built.h"
#include "lut/lut_infos.h"

namespace bitplane::kernels {
namespace {

struct FamilyInfo {
  Family family;
  std::string_view name;
  std::span<const KernelInfo> kernels;
};

/// A family's own list stands beside its kernels; here the lists are put together.
constexpr FamilyInfo kFamilies[] = {
    {Family::F32, "f32", kF32Infos},
    {Family::Bf16, "bf16", kBf16Infos},
    {Family::BitSerial, "bitserial", kBitSerialInfos},
    {Family::Dot, "dot", kDotInfos},
    {Family::Lut, "lut", kLutInfos},
    {Family::Codebook, "codebook", kCodebookInfos},
    {Family::Epilogue, "epilogue", kEpilogueInfos},
    {Family::Elementwise, "elementwise", kElementwiseInfos},
};

constexpr bool is_built(const KernelInfo& info) {
  return (kBuiltIsas & isa_bit(info.isa)) != 0;
}

constexpr std::size_t built_count() {
  std::size_t count = 0;
  for (const FamilyInfo& family : kFamilies) {
    count += static_cast<std::size_t>(std::count_if(family.kernels.begin(), family.kernels.end(), is_built));
  }
  return count;
}

constexpr auto kRegistry = [] {
  std::array<KernelInfo, built_count()> built{};
  auto next = built.begin();
  for (const IsaInfo& isa : kIsas) {
    for (const FamilyInfo& family : kFamilies) {
      next = std::copy_if(family.kernels.begin(), family.kernels.end(), next,
                          [&](const KernelInfo& info) { return info.isa == isa.isa && is_built(info); });
    }
  }
  return built;
}();

}  // namespace

std::span<const KernelInfo> registry() noexcept {
  return kRegistry;
}

std::string_view family_name(Family family) noexcept {
  for (const FamilyInfo& info : kFamilies) {
    if (info.family == family) return info.name;
  }
  return {};
}

}  // namespace bitplane::kernels
