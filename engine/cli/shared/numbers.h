// SPDX-License-Identifier: Apache-2.0
//
// Numbers as people write them: decimal text, within a range.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>

namespace bitplane::cli {

/// More of them do not help any machine, and exhaust most.
inline constexpr std::uint64_t kMaxThreads = 1024;

/// Both ends belong to it.
struct WholeRange {
  std::uint64_t least = 0, most = std::numeric_limits<std::uint64_t>::max();
};
struct RealRange {
  double least = 0, most = std::numeric_limits<double>::infinity();
};

/// Its whole numbers, of at least 0.
[[nodiscard]] WholeRange whole_numbers_of(const RealRange& range) noexcept;

/// The number where the text is digits and nothing else, and within the range.
[[nodiscard]] std::optional<std::uint64_t> parse_number(const std::string& text, const WholeRange& range);
/// The same of a finite decimal number: "0.1", "-2", "1e-3".
[[nodiscard]] std::optional<double> parse_number(const std::string& text, const RealRange& range);

/// "1 to 1024"; "" where it has no end.
[[nodiscard]] std::string range_text(const WholeRange& range);
[[nodiscard]] std::string range_text(const RealRange& range);

/// "a whole number from 1 to 1024"
[[nodiscard]] std::string wanted_text(const WholeRange& range);
/// "a number from 0 to 1", "a number of at least 0"
[[nodiscard]] std::string wanted_text(const RealRange& range);

}  // namespace bitplane::cli
