// SPDX-License-Identifier: Apache-2.0
#include "engine/onnx/wire.h"

#include <bit>

namespace bitplane::onnx {
namespace {

enum class WireType : std::uint8_t { Varint = 0, LengthDelimited = 2, Fixed32 = 5 };

std::string key(std::uint32_t field, WireType type) {
  return varint(std::uint64_t{field} << 3 | static_cast<std::uint64_t>(type));
}

}  // namespace

std::string varint(std::uint64_t value) {
  constexpr std::uint64_t kMore = 0x80;
  std::string bytes;
  for (; value >= kMore; value >>= 7) bytes += static_cast<char>(value % kMore | kMore);
  bytes += static_cast<char>(value);
  return bytes;
}

std::string length_prefix(std::uint32_t field, std::uint64_t bytes) {
  return key(field, WireType::LengthDelimited) + varint(bytes);
}

Message& Message::number(std::uint32_t field, std::int64_t value) {
  bytes_ += key(field, WireType::Varint) + varint(static_cast<std::uint64_t>(value));
  return *this;
}

Message& Message::real(std::uint32_t field, float value) {
  bytes_ += key(field, WireType::Fixed32);
  const auto bits = std::bit_cast<std::uint32_t>(value);
  for (unsigned shift = 0; shift < 32; shift += 8) bytes_ += static_cast<char>(bits >> shift & 0xFFU);
  return *this;
}

Message& Message::text(std::uint32_t field, std::string_view value) {
  bytes_ += length_prefix(field, value.size());
  bytes_ += value;
  return *this;
}

}  // namespace bitplane::onnx
