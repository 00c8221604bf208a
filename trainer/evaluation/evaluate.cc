// SPDX-License-Identifier: Apache-2.0
#include "trainer/evaluation/evaluate.h"

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/cli/shared/errors.h"

namespace bitplane::train {
namespace {

/// Pictures between two calls of the progress function, and of one piece of a thread's work.
constexpr std::size_t kReportEvery = 512;
constexpr std::size_t kGrain = 8;

std::size_t largest(std::span<const float> logits) {
  return static_cast<std::size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

engine::data::TracePicture observe(const Evaluator& evaluator, const Evaluator::Worker& worker,
                                   std::uint32_t label) {
  engine::data::TracePicture picture{.label = label, .logits = {}, .digests = {}};
  picture.logits.assign(worker.logits().begin(), worker.logits().end());
  for (std::size_t q = 0; q < evaluator.quantizers().size(); ++q) {
    std::vector<std::uint32_t> digests(evaluator.quantizers()[q].channels);
    engine::data::digest_codes(worker.codes(q), digests.size(), digests);
    picture.digests.insert(picture.digests.end(), digests.begin(), digests.end());
  }
  return picture;
}

void prepare(engine::data::Trace& trace, const Evaluator& evaluator, std::size_t count) {
  trace.header.classes = evaluator.classes();
  trace.header.layers.clear();
  for (const QuantizerShape& q : evaluator.quantizers()) {
    trace.header.layers.push_back(
        {.name = q.name, .height = q.height, .width = q.width, .channels = q.channels});
  }
  trace.pictures.assign(count, {});
}

}  // namespace

EvaluationResult evaluate(const Evaluator& evaluator, const engine::data::PictureSet& set,
                          const EvaluationOptions& options) {
  if (set.picture_size() != evaluator.picture_size()) {
    throw std::invalid_argument("pictures of " + std::to_string(set.picture_size()) +
                                " bytes for a net that takes " + std::to_string(evaluator.picture_size()));
  }
  if (set.class_names.size() != evaluator.classes()) {
    throw std::invalid_argument("a data set of " + std::to_string(set.class_names.size()) +
                                " classes for a net of " + std::to_string(evaluator.classes()));
  }
  std::vector<Evaluator::Worker> workers;
  for (std::size_t t = 0; t < options.threads.size(); ++t) workers.emplace_back(evaluator);
  std::vector<std::vector<std::uint8_t>> buffers(workers.size());
  if (options.trace != nullptr) prepare(*options.trace, evaluator, set.count);

  std::atomic<std::size_t> correct = 0;
  for (std::size_t first = 0; first < set.count; first += kReportEvery) {
    const std::size_t count = std::min(kReportEvery, set.count - first);
    options.threads.parallel_ranges(
        count, kGrain, [&](std::size_t begin, std::size_t end, std::size_t runner) {
          Evaluator::Worker& worker = workers[runner];
          for (std::size_t i = first + begin; i < first + end; ++i) {
            evaluator.run(cli::take(engine::data::inference_picture(set, i, buffers[runner])), worker);
            if (largest(worker.logits()) == set.labels[i]) correct.fetch_add(1, std::memory_order_relaxed);
            if (options.trace != nullptr)
              options.trace->pictures[i] = observe(evaluator, worker, set.labels[i]);
          }
        });
    if (options.progress) options.progress(first + count);
  }
  return {.count = set.count, .correct = correct};
}

}  // namespace bitplane::train
