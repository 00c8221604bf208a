// SPDX-License-Identifier: Apache-2.0
//
// The only file of the benchmark that includes Eigen. It is compiled for the machine that builds it, so that
// Eigen shows what it can: Eigen chooses its instruction set at compile time.
#include "eigen_gemm.h"

#include <Eigen/Core>

namespace bitplane::bench {

void eigen_gemm(std::size_t n, std::size_t m, std::size_t k, const float* x, const float* w, float* y) {
  using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const auto rows = static_cast<Eigen::Index>(n), columns = static_cast<Eigen::Index>(m);
  const auto inner = static_cast<Eigen::Index>(k);
  Eigen::Map<Matrix>(y, rows, columns).noalias() =
      Eigen::Map<const Matrix>(x, rows, inner) * Eigen::Map<const Matrix>(w, columns, inner).transpose();
}

std::string_view eigen_description() {
  return Eigen::SimdInstructionSetsInUse();
}

}  // namespace bitplane::bench
