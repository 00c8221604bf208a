// SPDX-License-Identifier: Apache-2.0
//
// The small checks that validation is made of. The first failure sticks and says what was found and what is
// allowed; validate() puts the node's name before it.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "bitplane/model_spec.h"
#include "bitplane/status.h"
#include "model/node_fact.h"

namespace bitplane::engine {

class Checks {
 public:
  [[nodiscard]] bool ok() const noexcept { return status_.ok(); }
  [[nodiscard]] const Status& status() const noexcept { return status_; }

  void fail(std::string message, StatusCode code = StatusCode::InvalidArgument) {
    if (ok()) status_ = Status(code, std::move(message));
  }
  /// low <= value <= high
  void range(std::string_view what, std::size_t value, std::size_t low, std::size_t high);
  void size(std::string_view what, std::size_t found, std::size_t wanted);
  /// found is 0 or wanted
  void size_or_empty(std::string_view what, std::size_t found, std::size_t wanted);
  void finite(std::string_view what, std::span<const float> values);
  /// Finite and >= 0.
  void not_negative(std::string_view what, std::span<const float> values);
  /// Each dimension and their product are within the format's limits.
  void shape(std::string_view what, const NodeShape& shape);
  /// The product alone is. Of dimensions that cannot make it overflow.
  void elements(std::string_view what, const NodeShape& shape);
  /// The input must be floats, not codes of a quantizer.
  void float_input(const NodeFact& input);

 private:
  Status status_;
};

[[nodiscard]] std::string shape_text(const NodeShape& shape);

/// checks.status() or the fact.
[[nodiscard]] inline Result<NodeFact> fact_or(const Checks& checks, NodeFact fact) {
  if (!checks.ok()) return checks.status();
  return fact;
}

}  // namespace bitplane::engine
