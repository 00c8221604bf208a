// SPDX-License-Identifier: Apache-2.0
//
// Reading the elements of a net file: every error names the file and the element; no key is left unread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "engine/cli/shared/numbers.h"

namespace bitplane::train {

using NetJson = nlohmann::ordered_json;

/// An error of a net file; its message names the file and the element.
class NetFileError : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

/// What channels and sizes may be.
inline constexpr std::uint64_t kLargestCount = 1U << 20U;
inline constexpr cli::WholeRange kAnyCount{.least = 0, .most = kLargestCount},
    kAtLeastOne{.least = 1, .most = kLargestCount};
inline constexpr cli::RealRange kAnyNumber{.least = -std::numeric_limits<double>::infinity()};

/// One object of the file. Keys are read by name; finish() refuses those that nobody asked for.
class NetElement {
 public:
  /// `where`: "nets/mine.json: layers[3]". Throws NetFileError when `json` is no object.
  NetElement(const NetJson& json, std::string where);

  [[nodiscard]] const std::string& where() const noexcept { return where_; }
  [[noreturn]] void fail(const std::string& what) const;

  [[nodiscard]] bool has(const char* key);
  [[nodiscard]] bool is_text(const char* key);
  [[nodiscard]] std::string text(const char* key, const std::string& otherwise);
  [[nodiscard]] std::string required_text(const char* key);
  [[nodiscard]] std::size_t count(const char* key, std::size_t otherwise,
                                  const cli::WholeRange& range = kAnyCount);
  /// At least 1.
  [[nodiscard]] std::size_t required_count(const char* key);
  [[nodiscard]] double number(const char* key, double otherwise, const cli::RealRange& range = kAnyNumber);
  [[nodiscard]] bool flag(const char* key, bool otherwise);
  /// Index of the value in `known`; `otherwise` is one of them too. Unknown: the nearest one is named.
  [[nodiscard]] std::size_t choice(const char* key, std::span<const std::string_view> known,
                                   std::size_t otherwise);
  /// The elements of an array; empty when the key is missing.
  [[nodiscard]] std::vector<NetElement> elements(const char* key);
  [[nodiscard]] std::vector<NetElement> required_elements(const char* key);

  /// Throws NetFileError naming a key that was not asked for, and the nearest that was.
  void finish() const;

 private:
  const NetJson* find(const char* key);
  [[noreturn]] void fail_missing(const char* key) const;

  const NetJson* json_;
  std::string where_;
  std::vector<std::string> asked_;
};

}  // namespace bitplane::train
