// SPDX-License-Identifier: Apache-2.0
//
// QIL's progressive initialization (Jung et al., "Learning to quantize deep networks by optimizing
// quantization intervals with task loss", CVPR 2019): float -> 5 -> 4 -> 3 -> 2 bits. Each stage starts from
// the weights, statistics and intervals of the one before; the intervals are in input units, so they fit
// other bits as they are. The first stage finds its own in its first step, or goes on with those of a run of
// QIL with more bits. With --teacher every stage is distilled.
#include <algorithm>
#include <array>
#include <stdexcept>

#include "trainer/procedures/rows.h"
#include "trainer/run/loaded_run.h"

namespace bitplane::train {
namespace {

constexpr std::array kQilOptions{
    OptionInfo{.name = "first_bits",
               .help = "bits of the first stage (from a run of qil: one less than it has); each next one has "
                       "one less, down to wbits and abits",
               .default_value = 5,
               .min = 1,
               .max = 8},
};

void qil_defaults(Config& config) {
  config.lr = 0.02;
  config.epochs = 3;
}

/// Down from a run of QIL: "take (c, d) from that model unchanged".
void qil_go_on(const LoadedRun& run, const Config& request, OptionValues& options) {
  const Config& from = run.folder.config();
  const std::string had = std::to_string(from.wbits) + "/" + std::to_string(from.abits);
  if (request.wbits > from.wbits || request.abits > from.abits) {
    throw std::invalid_argument(
        "--from has " + had + " bits, and qil goes down from there: " + std::to_string(request.wbits) + "/" +
        std::to_string(request.abits) + " bits start from a run of method 'float'");
  }
  const std::uint64_t highest = std::min(from.wbits, from.abits);
  const std::uint64_t lowest = std::min(request.wbits, request.abits);
  const auto [given, missing] =
      options.try_emplace("first_bits", static_cast<double>(std::max(lowest, highest - 1)));
  const double* first = given->second.number();
  if (missing || first == nullptr || *first <= static_cast<double>(highest)) return;
  throw std::invalid_argument("first_bits " + to_string(given->second) + " is more than --from has: " + had +
                              " bits");
}

std::vector<Stage> qil_stages(const Config& request, const OptionValues& options) {
  const auto lowest = static_cast<std::size_t>(std::min(request.wbits, request.abits));
  const auto first = std::max(lowest, OptionReader(kQilOptions, options).count("first_bits"));
  std::vector<Stage> stages;
  for (std::size_t bits = first; bits >= lowest; --bits) {
    const auto at_least = [bits](std::uint64_t wanted) {
      return wanted == kFloatBits ? wanted : std::max<std::uint64_t>(wanted, bits);
    };
    stages.push_back({.name = std::to_string(bits) + "-bits",
                      .description = "weights and activations of " + std::to_string(bits) +
                                     " bits, or of as many as asked for where that is more",
                      .change = [at_least](Config& config) {
                        config.wbits = at_least(config.wbits);
                        config.abits = at_least(config.abits);
                      }});
    if (bits == lowest) break;
  }
  return stages;
}

}  // namespace

constexpr ProcedureInfo kQilProcedure{.method = "qil",
                                      .description =
                                          "one bit less from stage to stage, down to the bits "
                                          "asked for",
                                      .defaults = qil_defaults,
                                      .options = kQilOptions,
                                      .go_on = qil_go_on,
                                      .stages = qil_stages};

}  // namespace bitplane::train
