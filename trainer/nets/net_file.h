// SPDX-License-Identifier: Apache-2.0
//
// A net described in a JSON file (docs/NETS.md is its manual): a list of layers, in order, where residual and
// branches hold lists of their own. A file is read once, when a run is configured: the run keeps the
// description, not the path, so that it can be resumed whatever becomes of the file.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "trainer/nets/net.h"

namespace bitplane::train {

/// "nets/mine.json": a path, where a name of nets() could stand.
[[nodiscard]] bool is_net_file(std::string_view net) noexcept;
/// What read_net_file() returned.
[[nodiscard]] bool is_net_text(std::string_view net) noexcept;

/// The file as one line of JSON, its path added under "file". Throws std::invalid_argument naming the file
/// when it cannot be read or is no JSON object.
[[nodiscard]] std::string read_net_file(const std::string& path);

/// The name that the file gives the net; `net` itself for a name of nets().
[[nodiscard]] std::string net_title(const std::string& net);

/// From what read_net_file() returned. Throws std::invalid_argument naming file and element: unknown keys and
/// layers (with the nearest known name), wrong types, and shapes that do not fit (with both of them).
[[nodiscard]] std::unique_ptr<Module> build_net_text(std::string_view text, const NetOptions& options);

}  // namespace bitplane::train
