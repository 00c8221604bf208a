// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/trace_check.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "engine/cli/batches.h"
#include "engine/cli/options.h"
#include "engine/cli/shared/errors.h"

namespace bitplane::cli {
namespace {

using engine::data::TraceLayer;

engine::InputShape shape_of(const TraceLayer& layer) {
  return {layer.height, layer.width, layer.channels};
}

std::string described(const TraceLayer& layer) {
  return layer.name + " (" + shape_text(shape_of(layer)) + ")";
}

CommandError mismatch(const std::string& what) {
  return {ExitCode::BadInput, "the trace does not belong to this model and data: " + what +
                                  "; write it again with: trainer eval RUN --trace FILE"};
}

void require_same_layers(const engine::Session& session, const std::vector<TraceLayer>& layers) {
  const auto names = session.quantizers();
  if (names.size() != layers.size()) {
    throw mismatch("it has " + std::to_string(layers.size()) + " quantized layers, the model " +
                   std::to_string(names.size()));
  }
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const engine::InputShape shape = session.codes_shape(i);
    const TraceLayer ours{names[i], shape.height, shape.width, shape.channels};
    if (described(ours) != described(layers[i])) {
      throw mismatch("its quantized layer " + std::to_string(i) + " is " + described(layers[i]) +
                     ", the model's is " + described(ours));
    }
  }
}

void require_same_pictures(const engine::data::Trace& trace, const engine::data::PictureSet& set,
                           std::size_t classes) {
  if (trace.header.classes != classes) {
    throw mismatch("it has " + std::to_string(trace.header.classes) + " classes, the model " +
                   std::to_string(classes));
  }
  if (trace.pictures.size() != set.count) {
    throw mismatch("it has " + std::to_string(trace.pictures.size()) + " pictures, " + trace.header.dataset +
                   " has " + std::to_string(set.count) + " test pictures");
  }
  for (std::size_t i = 0; i < set.count; ++i) {
    if (trace.pictures[i].label != set.labels[i]) {
      throw mismatch("picture " + std::to_string(i) + " has label " +
                     std::to_string(trace.pictures[i].label) + " in it, " + std::to_string(set.labels[i]) +
                     " in " + trace.header.dataset);
    }
  }
}

/// Of one picture in the session's last run.
void compare_outputs(std::span<const float> logits, const engine::data::TracePicture& expected,
                     std::size_t picture, TraceCheck& check) {
  const std::size_t ours = argmax(logits), theirs = argmax(expected.logits);
  check.engine_correct += ours == expected.label ? 1 : 0;
  check.trainer_correct += theirs == expected.label ? 1 : 0;
  if (ours == theirs) {
    ++check.predictions_equal;
  } else if (!check.first_prediction) {
    check.first_prediction = picture;
  }
  if (std::memcmp(logits.data(), expected.logits.data(), logits.size_bytes()) == 0) {
    ++check.logits_equal;
  } else if (!check.first_logits) {
    check.first_logits = picture;
  }
}

void compare_codes(const engine::Session& session, std::size_t slot,
                   const engine::data::TracePicture& expected, std::size_t picture, TraceCheck& check) {
  std::vector<std::uint32_t> digests;
  std::size_t at = 0;
  for (std::size_t l = 0; l < check.layers.size(); ++l) {
    LayerCheck& result = check.layers[l];
    const TraceLayer& layer = result.layer;
    const std::size_t size = layer.height * layer.width * layer.channels;
    digests.resize(layer.channels);
    engine::data::digest_codes(session.codes(l).subspan(slot * size, size), layer.channels, digests);
    const auto different = std::mismatch(digests.begin(), digests.end(),
                                         expected.digests.begin() + static_cast<std::ptrdiff_t>(at))
                               .first;
    if (different == digests.end()) {
      ++result.equal;
    } else if (!result.first) {
      result.first = {.picture = picture, .channel = static_cast<std::size_t>(different - digests.begin())};
    }
    at += layer.channels;
  }
}

}  // namespace

bool TraceCheck::passed() const noexcept {
  return predictions_equal == pictures && logits_equal == pictures &&
         std::all_of(layers.begin(), layers.end(),
                     [&](const LayerCheck& layer) { return layer.equal == pictures; });
}

std::string TraceCheck::first_difference() const {
  for (const LayerCheck& result : layers) {
    if (result.first) {
      return "the codes of layer " + described(result.layer) + ", picture " +
             std::to_string(result.first->picture) + ", channel " + std::to_string(result.first->channel);
    }
  }
  if (first_logits)
    return "the logits of picture " + std::to_string(*first_logits) + " (all codes are equal)";
  if (first_prediction) return "the prediction of picture " + std::to_string(*first_prediction);
  return "";
}

TraceCheck check_trace(const engine::Model& model, const engine::SessionOptions& options,
                       const engine::data::Trace& trace, const engine::data::PictureSet& set) {
  const std::size_t classes = model.output_size();
  require_same_pictures(trace, set, classes);
  engine::SessionOptions capturing = options;
  capturing.batch = batch_for(set.count, options.threads);
  capturing.capture_codes = true;
  auto session = take(engine::Session::create(model, capturing));
  require_same_layers(session, trace.header.layers);
  TraceCheck result{.pictures = set.count};
  for (const TraceLayer& layer : trace.header.layers) result.layers.push_back({.layer = layer});
  run_in_batches(session, capturing.batch, set, [&](const Batch& done) {
    for (std::size_t i = 0; i < done.count; ++i) {
      const auto& expected = trace.pictures[done.first + i];
      compare_outputs(session.output().subspan(i * classes, classes), expected, done.first + i, result);
      compare_codes(session, i, expected, done.first + i, result);
    }
  });
  return result;
}

}  // namespace bitplane::cli
