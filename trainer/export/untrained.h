// SPDX-License-Identifier: Apache-2.0
//
// Models that nobody trained, for measurements of speed and size: random weights, and statistics from a few
// passes over random pictures, so that codes of all values occur.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "bitplane/model_spec.h"
#include "trainer/methods/method.h"

namespace bitplane::train {

struct UntrainedModel {
  std::string net = {};           ///< of nets()
  std::string codes = "uniform";  ///< "uniform": method dorefa; "learned": method lq-nets
  std::size_t wbits = 1, abits = 2;
  std::string first_last = "float";  ///< as the config's
  double width = 1.0;
  std::uint64_t seed = 1;
  std::size_t size = 0, classes = 0;  ///< 0: what the net was published for; at least 32x32, 3 channels
};

/// With provenance and golden pair. Throws std::invalid_argument as resolve_config() does.
[[nodiscard]] engine::ModelSpec make_untrained(const UntrainedModel& model);

}  // namespace bitplane::train
