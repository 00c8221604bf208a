// SPDX-License-Identifier: Apache-2.0
//
// Convolutions with few channels by kernels with output pixels in their lanes (lane_band.h).
#pragma once

#include <cstddef>
#include <memory>

#include "bitplane/kernels/lowbit_conv.h"
#include "pixel_lanes/packed_lanes.h"

namespace bitplane::kernels {

class LaneConv final : public LowBitConv {
 public:
  /// Throws std::bad_alloc. That the kernel supports the spec is a precondition.
  LaneConv(const LaneKernels& kernels, const BitConvSpec& spec);

  [[nodiscard]] std::size_t packed_bytes() const noexcept override;
  [[nodiscard]] std::size_t scratch_bytes() const noexcept override;
  void run(const PackedActivations& input, RowRange rows, const EpilogueKernels& epilogues,
           const Epilogue& epilogue, std::byte* scratch) const noexcept override;
  [[nodiscard]] bool prefers_integers(const RankCodes& ranks,
                                      const ActivationLayout& out) const noexcept override;
  void run_integer(const PackedActivations& input, RowRange rows, std::int32_t* out,
                   std::byte* scratch) const noexcept override;

 private:
  const LaneKernels* kernels_;
  std::shared_ptr<const PackedLanes> packed_;
};

template <const LaneKernels& kKernels>
bool lane_supports(const BitConvSpec& spec) noexcept {
  return lanes_support(kKernels, spec);
}
template <const LaneKernels& kKernels>
double lane_cost(const BitConvSpec& spec) noexcept {
  return lanes_cost(kKernels, spec);
}
template <const LaneKernels& kKernels>
std::unique_ptr<const LowBitConv> make_lane_conv(const BitConvSpec& spec) {
  return std::make_unique<const LaneConv>(kKernels, spec);
}

}  // namespace bitplane::kernels
