// SPDX-License-Identifier: Apache-2.0
//
// provenance.json: what made a run. One entry of "sessions" per process that trained it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "trainer/config/config.h"

namespace bitplane::train {

/// What this process is, for one entry of "sessions".
struct SessionFacts {
  std::uint64_t first_step = 0;
  std::size_t threads = 1;
  std::string_view isa;  ///< the best that is used
};

/// The text of provenance.json with one more session; `before` is the file's old text, "" for a new run or
/// whatever is no JSON.
[[nodiscard]] std::string provenance_text(const std::string& before, const Config& config,
                                          const std::string& data_digest, const SessionFacts& session);

/// "2026-01-31T12:00:00Z"
[[nodiscard]] std::string utc_now_text();

}  // namespace bitplane::train
