// SPDX-License-Identifier: Apache-2.0
//
// Weights in the layouts that kernels want. Each (layer, layout) is packed once, when the first session asks
// for it, and lives as long as the model.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include "bitplane/kernels/codebook.h"
#include "bitplane/kernels/dot.h"
#include "bitplane/kernels/f32.h"
#include "bitplane/kernels/lowbit_conv.h"
#include "lowering/choose_kernels.h"
#include "lowering/program.h"

namespace bitplane::engine {

class PackedWeights {
 public:
  /// Keeps references to both.
  PackedWeights(const ModelSpec& spec, const Program& program) : spec_(spec), program_(program) {}

  /// Are all weights packed that a session with that choice of kernels asks for?
  [[nodiscard]] bool holds_all(const KernelChoice& choice);
  /// Of all layouts so far.
  [[nodiscard]] std::size_t packed_bytes();

  /// Of a Convolution step on planes, for one kernel's layout. Throws std::bad_alloc.
  [[nodiscard]] const kernels::LowBitConv& planes(std::size_t step, const kernels::LowBitKernel& kernel);
  /// Of a Convolution step on floats: panels of each group; one layout serves every ISA. Throws
  /// std::bad_alloc.
  [[nodiscard]] const std::vector<kernels::F32Panels>& panels(std::size_t step);
  /// Of a Convolution step on the picture's bytes. Throws std::bad_alloc.
  [[nodiscard]] const kernels::ByteConv& bytes(std::size_t step, const kernels::DotKernels& kernels);
  /// Of a Convolution step whose weights are a codebook; one layout serves every ISA. Throws std::bad_alloc.
  [[nodiscard]] const kernels::CodebookWeights& codebook(std::size_t step);

 private:
  using PlanesKey = std::pair<std::size_t, std::string_view>;

  const ModelSpec& spec_;
  const Program& program_;
  std::mutex mutex_;
  std::map<PlanesKey, std::unique_ptr<const kernels::LowBitConv>> planes_;
  std::map<std::size_t, std::vector<kernels::F32Panels>> panels_;
  std::map<PlanesKey, kernels::ByteConv> bytes_;
  std::map<std::size_t, kernels::CodebookWeights> codebooks_;
};

}  // namespace bitplane::engine
