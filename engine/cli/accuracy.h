// SPDX-License-Identifier: Apache-2.0
//
// How often a model is right on a data set, for `eval` and `compare`.
#pragma once

#include <cstddef>
#include <string>

#include "bitplane/engine.h"
#include "engine/cli/options.h"
#include "engine/data/dataset.h"

namespace bitplane::cli {

struct Accuracy {
  std::size_t correct = 0, pictures = 0;
  double pictures_per_second = 0.0;  ///< of the engine alone
  std::string isa;

  [[nodiscard]] double fraction() const noexcept {
    return static_cast<double>(correct) / static_cast<double>(pictures);
  }
};

/// Top-1 over the whole set. Throws CommandError when a session cannot be had.
[[nodiscard]] Accuracy measure_accuracy(const engine::Model& model, const engine::data::PictureSet& set,
                                        const ModelOptions& options);

}  // namespace bitplane::cli
