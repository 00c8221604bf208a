// SPDX-License-Identifier: Apache-2.0
//
// The settings that decide what a run computes, as a checkpoint keeps them, and what changed since.
#pragma once

#include <optional>
#include <string>

#include "trainer/config/config.h"

namespace bitplane::train {

/// JSON object of the fields with FieldEffect::OnBits, and the method's options.
[[nodiscard]] std::string deciding_settings(const Config& config);

/// "net resnet-20, method lq-nets, 2/2 bits", of deciding_settings().
[[nodiscard]] std::string net_text(const std::string& settings);

/// The first setting, in the order of the fields, in which `config` differs from `settings`: "epochs was 5
/// and is 9". Settings that the older text does not have count as unchanged.
[[nodiscard]] std::optional<std::string> changed_setting(const std::string& settings, const Config& config);

}  // namespace bitplane::train
