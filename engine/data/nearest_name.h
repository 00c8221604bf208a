// SPDX-License-Identifier: Apache-2.0
//
// What somebody who misspelled a name probably meant. Data sets, methods, nets, flags and subcommands use it.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace bitplane::engine::data {

/// Edit distance in which a swap of neighbours counts one (optimal string alignment).
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

/// The nearest of `known` (the first one at a tie), or nothing when none is near: more than a third of the
/// letters differ and neither name begins with the other.
[[nodiscard]] std::optional<std::string_view> nearest_name(std::string_view name,
                                                           std::span<const std::string_view> known);

/// "unknown data set 'mnst'; did you mean 'mnist'? Known: a, b, c"
[[nodiscard]] std::string unknown_name_message(std::string_view kind, std::string_view name,
                                               std::span<const std::string_view> known);

}  // namespace bitplane::engine::data
