// SPDX-License-Identifier: Apache-2.0
//
// Activations that get their bits behind the last stage that trains: the net that was trained with float
// activations runs in bits as it is.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "trainer/procedures/procedure.h"

namespace bitplane::train {

inline constexpr std::array<std::string_view, 3> kCalibrateChoices{"off", "on", "only"};
/// Of the procedures that train with float activations in their papers.
inline constexpr OptionInfo kCalibrate{
    .name = "calibrate",
    .help =
        "on: activations are float while weights are quantized, and get their abits in a last stage without "
        "training, as gdrq's, up to the largest on 2048 training pictures; only: nothing but that stage, of "
        "a run whose weights are done (so it is where --from is a run of the method)",
    .kind = OptionKind::Choice,
    .choices = kCalibrateChoices};

/// With calibrate=on: leaves activations float in `stages`, and adds one without epochs in which they get
/// the bits of `request` as GDRQ's, each with the largest input on 2048 training pictures as its clip point.
/// With calibrate=only that one alone is left. Throws std::invalid_argument where no bits are asked for, or
/// activations of another kind.
void calibrate_activations_last(const Config& request, const OptionValues& options,
                                std::vector<Stage>& stages);

/// ProcedureInfo::go_on of methods that quantize part by part: calibrate=only.
void give_bits_to_activations(const LoadedRun& from, const Config& request, OptionValues& options);

}  // namespace bitplane::train
