// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string_view>

namespace bitplane::bench {

/// M output channels, K = input channels * kernel height * kernel width, N output pixels.
struct GemmShape {
  std::string_view name, where;
  std::size_t m, k, n;
  [[nodiscard]] constexpr double macs() const {
    return static_cast<double>(m) * static_cast<double>(k) * static_cast<double>(n);
  }
};

inline constexpr GemmShape kGemmShapes[] = {
    {"S1", "ResNet-18, 3x3 layers of stage 1", 64, 576, 3136},
    {"S2", "ResNet-18, 3x3 layers of stage 2", 128, 1152, 784},
    {"S3", "ResNet-18, 3x3 layers of stage 3", 256, 2304, 196},
    {"S4", "ResNet-18, 3x3 layers of stage 4", 512, 4608, 49},
    {"S5", "square", 1024, 1024, 1024},
    {"S6", "AlexNet, first fully connected layer", 4096, 9216, 1},
    {"S7", "AlexNet, second fully connected layer", 4096, 4096, 1},
};

}  // namespace bitplane::bench
