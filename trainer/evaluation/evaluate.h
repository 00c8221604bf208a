// SPDX-License-Identifier: Apache-2.0
//
// The evaluation over a whole set of pictures, in parallel over pictures.
#pragma once

#include <cstddef>
#include <functional>

#include "engine/data/dataset.h"
#include "engine/data/trace.h"
#include "trainer/evaluation/evaluator.h"
#include "trainer/tensor/thread_pool.h"

namespace bitplane::train {

struct EvaluationResult {
  std::size_t count = 0, correct = 0;
  [[nodiscard]] double accuracy() const noexcept {
    return count == 0 ? 0.0 : static_cast<double>(correct) / static_cast<double>(count);
  }
};

struct EvaluationOptions {
  ThreadPool& threads;
  engine::data::Trace* trace = nullptr;  ///< filled when given, without the data set's name
  std::function<void(std::size_t done)>
      progress;  ///< may be empty; called between pieces, on the calling thread
};

/// The first of the largest logits is the answer. Throws std::invalid_argument when pictures or classes don't
/// fit.
[[nodiscard]] EvaluationResult evaluate(const Evaluator& evaluator, const engine::data::PictureSet& set,
                                        const EvaluationOptions& options);

}  // namespace bitplane::train
