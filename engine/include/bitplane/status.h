// SPDX-License-Identifier: Apache-2.0
//
// Errors as values. Nothing in the engine throws out, aborts or prints.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "bitplane/export.h"

namespace bitplane::engine {

enum class StatusCode : std::uint8_t {
  Ok,
  NotFound,         ///< a file or a name that does not exist
  InvalidArgument,  ///< the caller's request makes no sense
  InvalidFile,      ///< truncated, corrupt or malformed input
  Unsupported,      ///< well-formed, but this version or CPU cannot do it
  OutOfMemory,
  IoError,  ///< the operating system refused (disk full, no permission)
};

[[nodiscard]] BITPLANE_API std::string_view status_code_name(StatusCode code) noexcept;

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}

  [[nodiscard]] bool ok() const noexcept { return code_ == StatusCode::Ok; }
  [[nodiscard]] StatusCode code() const noexcept { return code_; }
  /// One line: what was wrong, where, and what to do.
  [[nodiscard]] const std::string& message() const noexcept { return message_; }

 private:
  StatusCode code_ = StatusCode::Ok;
  std::string message_;
};

/// A value or the reason why there is none.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}          // NOLINT(google-explicit-constructor)
  Result(Status status) : status_(std::move(status)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const noexcept { return value_.has_value(); }
  [[nodiscard]] const Status& status() const noexcept { return status_; }
  [[nodiscard]] T& value() & noexcept { return *value_; }
  [[nodiscard]] const T& value() const& noexcept { return *value_; }
  [[nodiscard]] T&& value() && noexcept { return std::move(*value_); }
  [[nodiscard]] T* operator->() noexcept { return &*value_; }
  [[nodiscard]] const T* operator->() const noexcept { return &*value_; }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace bitplane::engine
