// SPDX-License-Identifier: Apache-2.0
//
// Transformation function learning of a whole net: layer after layer in forward order, ternary weights are
// found for each quantized layer that reproduce what the net with float weights does there, and written into
// the next net with the batch norm (or bias) behind it.
//
// Batch norm is folded: the target is v = gamma (u - mu) / sigma + beta at sampled positions of the layer's
// own output u, and Q(v) of it. A layer in front of a ReLU without TSQ's quantizer reproduces the ReLU's
// output, one in front of a sum or a concatenation v itself, or u where no batch norm comes first. A batch
// norm behind the sum or the concatenation gets the statistics of what it reads now, before the layers behind
// it are learned.
//
// Where a max-pooling lies between the layer and its batch norm, the positions are those in front of it,
// since X and G are common to all channels and the one that wins is not. v, ReLU and Q are monotone in u:
// whoever meets the targets at all positions meets the pooled ones, also where gamma < 0 and the pooling
// leaves the least v. The error counts the positions that lose as well.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "trainer/procedures/tfl.h"
#include "trainer/run/training.h"

namespace bitplane::train {

enum class TflStart : std::uint8_t { Otwa, Random };
/// Which inputs a layer sees: those of the net in front of it that has ternary weights already, or those of
/// the float one.
enum class TflFront : std::uint8_t { Ternary, Float };

struct TflOptions {
  TflStart start = TflStart::Otwa;
  TflFront front = TflFront::Ternary;
  Intercept intercept = Intercept::Learned;
  std::size_t pictures = 2000;  ///< of the training set, without augmentation
  std::size_t positions = 8;    ///< of each picture and layer; all of maps of up to 4 x 4
  std::vector<TflLambda> lambdas = {{0.01, 25}, {1.0, 25}};
};

/// Changes point.net, whose weights and statistics are those of `before`. Returns the errors of each layer.
/// Throws std::invalid_argument for a layer whose input is not codes.
nlohmann::ordered_json learn_transformation(const StartPoint& point, Module& before,
                                            const TflOptions& options,
                                            const std::function<void(const std::string&)>& say);

}  // namespace bitplane::train
