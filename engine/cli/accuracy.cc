// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/accuracy.h"

#include "engine/cli/batches.h"
#include "engine/cli/shared/errors.h"

namespace bitplane::cli {

Accuracy measure_accuracy(const engine::Model& model, const engine::data::PictureSet& set,
                          const ModelOptions& options) {
  const std::size_t batch = batch_for(set.count, options.threads);
  auto session = take(engine::Session::create(model, session_options(options, batch)));
  Accuracy result{.pictures = set.count, .isa = std::string(session.isa())};
  const double seconds = run_in_batches(session, batch, set, [&](const Batch& done) {
    for (std::size_t i = 0; i < done.count; ++i) {
      const auto logits = session.output().subspan(i * model.output_size(), model.output_size());
      result.correct += argmax(logits) == set.labels[done.first + i] ? 1 : 0;
    }
  });
  result.pictures_per_second = static_cast<double>(set.count) / seconds;
  return result;
}

}  // namespace bitplane::cli
