// SPDX-License-Identifier: Apache-2.0
//
// The engine against the trainer's own evaluation: every picture, every quantized layer, every channel.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "bitplane/engine.h"
#include "engine/data/dataset.h"
#include "engine/data/trace.h"

namespace bitplane::cli {

/// Where a layer's codes first differ.
struct Difference {
  std::size_t picture = 0, channel = 0;
};

struct LayerCheck {
  engine::data::TraceLayer layer;
  std::size_t equal = 0;  ///< pictures whose every channel is equal
  std::optional<Difference> first = std::nullopt;
};

struct TraceCheck {
  std::size_t pictures = 0, predictions_equal = 0, logits_equal = 0;
  std::size_t engine_correct = 0, trainer_correct = 0;
  std::optional<std::size_t> first_prediction = std::nullopt,
                             first_logits = std::nullopt;  ///< first picture that differs
  std::vector<LayerCheck> layers = {};                     ///< in graph order

  [[nodiscard]] bool passed() const noexcept;
  /// The first difference in the order of the graph, in words; empty when there is none.
  [[nodiscard]] std::string first_difference() const;
};

/// Throws when trace, model and pictures do not belong together.
TraceCheck check_trace(const engine::Model& model, const engine::SessionOptions& options,
                       const engine::data::Trace& trace, const engine::data::PictureSet& set);

}  // namespace bitplane::cli
