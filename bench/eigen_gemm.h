// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string_view>

namespace bitplane::bench {

/// y[n][m] = x[n][k] * w[m][k]^T, all row-major, with Eigen.
void eigen_gemm(std::size_t n, std::size_t m, std::size_t k, const float* x, const float* w, float* y);
/// Version and the instruction sets that Eigen was compiled for.
[[nodiscard]] std::string_view eigen_description();

}  // namespace bitplane::bench
