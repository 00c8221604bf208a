// SPDX-License-Identifier: Apache-2.0
//
// What convolutions on bf16 kernels need again in every step: planned geometries, room for packed weights,
// scratch of each thread.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "bitplane/kernels/aligned.h"
#include "bitplane/kernels/bf16.h"

namespace bitplane::train {

struct Bf16Plan {
  Bf16Plan(const kernels::Bf16Kernels& kernels, const kernels::ConvShape& shape);

  kernels::Bf16Conv conv;
  kernels::AlignedArray<std::byte> weights;  ///< packed anew by whoever uses them
};

class Bf16Plans {
 public:
  Bf16Plans(const kernels::Bf16Kernels& kernels, std::size_t runners)
      : kernels_(&kernels), scratch_(runners) {}

  /// Valid as long as this object.
  [[nodiscard]] Bf16Plan& of(const kernels::ConvShape& shape);
  /// Scratch that grows and stays, contents undefined. Valid until the runner's next call.
  [[nodiscard]] std::byte* scratch(std::size_t runner, std::size_t bytes);

 private:
  const kernels::Bf16Kernels* kernels_;
  std::vector<std::unique_ptr<Bf16Plan>> plans_;
  std::vector<kernels::AlignedArray<std::byte>> scratch_;  // [runner]
};

}  // namespace bitplane::train
