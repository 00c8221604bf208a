// SPDX-License-Identifier: Apache-2.0
//
// The wire format of protocol buffers, as much as ONNX needs of it: a message is a sequence of fields, each a
// varint of (number << 3 | wire type) and its value. https://protobuf.dev/programming-guides/encoding
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace bitplane::onnx {

[[nodiscard]] std::string varint(std::uint64_t value);
/// What stands in front of `bytes` bytes of text, raw data or a nested message.
[[nodiscard]] std::string length_prefix(std::uint32_t field, std::uint64_t bytes);

class Message {
 public:
  /// int32, int64, enum and bool; negative ones take ten bytes, as the format demands.
  Message& number(std::uint32_t field, std::int64_t value);
  Message& real(std::uint32_t field, float value);
  Message& text(std::uint32_t field, std::string_view value);
  Message& nested(std::uint32_t field, const Message& value) { return text(field, value.bytes()); }

  [[nodiscard]] const std::string& bytes() const noexcept { return bytes_; }

 private:
  std::string bytes_;
};

}  // namespace bitplane::onnx
