// SPDX-License-Identifier: Apache-2.0
//
// Reads a TensorBoard event file as any protobuf reader would: fields in any order, unknown ones skipped. It
// shares no code with the writer; the checksum is computed bit by bit.
#pragma once

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace bitplane::train::testing {

struct ReadEvent {
  double wall_time = 0;
  std::uint64_t step = 0;
  std::string file_version;
  std::vector<std::pair<std::string, float>> scalars;
};

inline std::uint32_t slow_crc32c(const std::string& text) {
  std::uint32_t crc = ~0U;
  for (const char c : text) {
    for (int bit = 0; bit < 8; ++bit) {
      const unsigned in = (static_cast<unsigned char>(c) >> bit) & 1U;
      const bool carry = ((crc ^ in) & 1U) != 0;
      crc >>= 1;
      if (carry) crc ^= 0x82F63B78U;
    }
  }
  return ~crc;
}

class EventReader {
 public:
  explicit EventReader(std::string bytes) : bytes_(std::move(bytes)) {}

  /// Throws std::runtime_error for what is no event file.
  [[nodiscard]] std::vector<ReadEvent> all() {
    std::vector<ReadEvent> events;
    while (at_ < bytes_.size()) {
      const std::string length = take(8);
      check_crc(length);
      const std::string data = take(number<std::uint64_t>(length));
      check_crc(data);
      events.push_back(event_of(data));
    }
    return events;
  }

 private:
  template <class T>
  static T number(const std::string& text) {
    T value{};
    if (text.size() != sizeof(T)) throw std::runtime_error("field of a wrong size");
    std::memcpy(&value, text.data(), sizeof(T));
    return value;
  }
  std::string take(std::uint64_t count) {
    if (count > bytes_.size() - at_) throw std::runtime_error("record is cut");
    at_ += count;
    return bytes_.substr(at_ - count, count);
  }
  void check_crc(const std::string& text) {
    const std::uint32_t crc = slow_crc32c(text);
    const std::uint32_t masked = ((crc >> 15) | (crc << 17)) + 0xA282EAD8U;
    if (number<std::uint32_t>(take(4)) != masked) throw std::runtime_error("wrong checksum");
  }

  struct Field {
    std::uint64_t number = 0, varint = 0;
    std::string bytes;
  };
  static std::uint64_t varint(const std::string& text, std::size_t& at) {
    std::uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(text.at(at++));
      value |= std::uint64_t{byte & 0x7FU} << shift;
      if (byte < 0x80) return value;
    }
  }
  static std::vector<Field> fields(const std::string& text) {
    std::vector<Field> all;
    for (std::size_t at = 0; at < text.size();) {
      const std::uint64_t key = varint(text, at);
      Field field{.number = key >> 3, .bytes = {}};
      std::uint64_t size = 0;
      switch (key & 7U) {
        case 0:
          field.varint = varint(text, at);
          break;
        case 1:
          size = 8;
          break;
        case 2:
          size = varint(text, at);
          break;
        case 5:
          size = 4;
          break;
        default:
          throw std::runtime_error("unknown wire type");
      }
      if (size > text.size() - at) throw std::runtime_error("field is cut");
      field.bytes = text.substr(at, size);
      at += size;
      all.push_back(field);
    }
    return all;
  }
  static ReadEvent event_of(const std::string& data) {
    ReadEvent event;
    for (const Field& field : fields(data)) {
      if (field.number == 1) event.wall_time = number<double>(field.bytes);
      if (field.number == 2) event.step = field.varint;
      if (field.number == 3) event.file_version = field.bytes;
      if (field.number != 5) continue;
      for (const Field& value : fields(field.bytes)) {
        std::pair<std::string, float> scalar;
        for (const Field& part : fields(value.bytes)) {
          if (part.number == 1) scalar.first = part.bytes;
          if (part.number == 2) scalar.second = number<float>(part.bytes);
        }
        event.scalars.push_back(scalar);
      }
    }
    return event;
  }

  std::string bytes_;
  std::size_t at_ = 0;
};

}  // namespace bitplane::train::testing
