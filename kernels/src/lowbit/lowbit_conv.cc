// SPDX-License-Identifier: Apache-2.0
//
// The list of low-bit kernels, put together from the families', and the choice among them.
#include "bitplane/kernels/lowbit_conv.h"

#include <array>
#include <cassert>
#include <cstddef>
#include <iterator>

#include "bitserial/bitserial_lowbit.h"
#include "dot/dot_lowbit.h"
#include "lut/lut_lowbit.h"

namespace bitplane::kernels {
namespace {

struct FamilyKernels {
  Family family;
  std::span<const LowBitKernel> kernels;  // none where the family has no kernel for what is built
};
constexpr FamilyKernels kFamilies[] = {
    {Family::BitSerial, kBitSerialLowBit}, {Family::Dot, kDotLowBit}, {Family::Lut, kLutLowBit}};

constexpr std::size_t kernel_count() {
  std::size_t count = 0;
  for (const FamilyKernels& family : kFamilies) count += family.kernels.size();
  return count;
}

constexpr auto kKernels = [] {
  std::array<const LowBitKernel*, kernel_count()> kernels{};
  std::size_t next = 0;
  for (const FamilyKernels& family : kFamilies) {
    for (const LowBitKernel& kernel : family.kernels) kernels[next++] = &kernel;
  }
  return kernels;
}();

}  // namespace

LowBitConv::LowBitConv(const BitConvSpec& spec)
    : shape_(spec.shape),
      input_layout_{.height = spec.shape.height,
                    .width = spec.shape.width,
                    .channels = spec.shape.channels,
                    .planes = spec.activation_planes,
                    .groups = spec.shape.groups,
                    .encoding = spec.activation_encoding} {}

bool LowBitConv::prefers_integers(const RankCodes& ranks, const ActivationLayout& /*out*/) const noexcept {
  return ranks.count <= 1;
}

std::span<const LowBitKernel* const> lowbit_kernels() noexcept {
  return kKernels;
}

std::span<const Family> lowbit_families() noexcept {
  static constexpr auto kNames = [] {
    std::array<Family, std::size(kFamilies)> families{};
    for (std::size_t i = 0; i < families.size(); ++i) families[i] = kFamilies[i].family;
    return families;
  }();
  return kNames;
}

namespace {

bool can_run(const LowBitKernel& kernel, CpuFeatures features, const BitConvSpec& spec) noexcept {
  return features.has(kernel.info.isa) && kernel.supports(spec);
}

bool family_can_run(Family family, CpuFeatures features, const BitConvSpec& spec) noexcept {
  for (const LowBitKernel* kernel : kKernels) {
    if (kernel->info.family == family && can_run(*kernel, features, spec)) return true;
  }
  return false;
}

}  // namespace

bool may_run(const LowBitKernel& kernel, const LowBitWishes& wishes, const BitConvSpec& spec) noexcept {
  if (!can_run(kernel, wishes.features, spec)) return false;
  return !wishes.family || kernel.info.family == *wishes.family ||
         !family_can_run(*wishes.family, wishes.features, spec);
}

const LowBitKernel& select_lowbit(const LowBitWishes& wishes, const BitConvSpec& spec) noexcept {
  const LowBitKernel* best = nullptr;
  double lowest = 0.0;
  for (const LowBitKernel* kernel : kKernels) {
    if (!may_run(*kernel, wishes, spec)) continue;
    const double cost = kernel->cost(spec);
    if (best == nullptr || cost < lowest) {
      best = kernel;
      lowest = cost;
    }
  }
  assert(best != nullptr);  // scalar bit-serial runs everything, everywhere
  return *best;
}

}  // namespace bitplane::kernels
