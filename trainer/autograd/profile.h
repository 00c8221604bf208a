// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "trainer/autograd/context.h"

namespace bitplane::train {

/// Time per operation, forward and backward apart.
class OpProfile {
 public:
  struct Entry {
    std::size_t forward_calls = 0, backward_calls = 0;
    double forward_seconds = 0, backward_seconds = 0;
  };
  enum class Direction { Forward, Backward };
  void add(std::string_view op, Direction direction, double seconds);
  [[nodiscard]] const std::map<std::string, Entry, std::less<>>& entries() const noexcept { return entries_; }
  /// A table, slowest first.
  [[nodiscard]] std::string str() const;

 private:
  std::map<std::string, Entry, std::less<>> entries_;
};

/// Measures its own lifetime; does nothing when the context has no profile.
class OpTimer {
 public:
  OpTimer(const Context& ctx, std::string_view op,
          OpProfile::Direction direction = OpProfile::Direction::Forward);
  ~OpTimer();
  OpTimer(const OpTimer&) = delete;
  OpTimer& operator=(const OpTimer&) = delete;

 private:
  OpProfile* profile_;
  std::string_view op_;
  OpProfile::Direction direction_;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace bitplane::train
