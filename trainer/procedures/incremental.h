// SPDX-License-Identifier: Apache-2.0
//
// What the procedures share whose stages quantize the next part of the weights and train the rest (SLQ, ESLQ,
// MLQ, INQ).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "trainer/procedures/procedure.h"
#include "trainer/quantizers/incremental.h"

namespace bitplane::train {

struct IncrementalLayer {
  std::string name;
  Tensor* weights;
  IncrementalWeights* quantizer;
};
/// In the order of the net. Throws std::invalid_argument when there is none.
[[nodiscard]] std::vector<IncrementalLayer> incremental_layers(Module& net);

/// 2048 training pictures (all of fewer) that the procedure's seed draws, the same ones in every stage, in
/// batches: `use` gets the indices of each.
void for_each_subset_batch(const StageStart& start,
                           const std::function<void(std::span<const std::uint32_t>)>& use);

/// Mean cross entropy of the net as it is, without training, on 2048 training pictures that the procedure's
/// seed draws: the same ones in every stage. Activation quantizers that the net before did not have are
/// measured as the first batch of training makes them; the net keeps the state that it has.
[[nodiscard]] IncrementalWeights::Loss loss_on_subset(const StageStart& start);

/// All of them choose first, each with the others as they were, and then freeze.
void quantize_next_part(const StageStart& start, const std::vector<IncrementalLayer>& layers,
                        const IncrementalWeights::Loss& loss);
/// Of the net: how much is frozen now, and each layer's levels. Says the share.
[[nodiscard]] nlohmann::ordered_json report_parts(const StageStart& start);

/// A stage's rate: ten times less after 60 % of its epochs, where `drops` says nothing else; a single epoch
/// keeps its rate.
void restart_rate(Config& config);
/// Settings of such procedures: the step schedule, 8 epochs per stage.
void incremental_defaults(Config& config);
/// Their rate starts at that of the float run divided by this.
inline constexpr unsigned kIncrementalLrDivisor = 10;
/// What every stage of them must have alike: levels of other bits or layers do not go with the parts that are
/// there, and centres start once.
inline constexpr std::array<std::string_view, 6> kIncrementalShared{"wbits",  "first_last", "layers",
                                                                    "shares", "type",       "start"};

}  // namespace bitplane::train
