// SPDX-License-Identifier: Apache-2.0
#include "trainer/run/event_file.h"

#include <bit>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <system_error>
#include <utility>

#include "engine/cli/shared/errors.h"
#include "trainer/checkpoint/file.h"
#include "trainer/run/crc32c.h"

namespace bitplane::train {
namespace {

enum class Wire : std::uint8_t { Varint = 0, Fixed64 = 1, Bytes = 2, Fixed32 = 5 };

void put_little_endian(std::string& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>((value >> (8 * i)) & 0xFFU));
}

void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>((value & 0x7FU) | 0x80U));
  out.push_back(static_cast<char>(value));
}

void put_key(std::string& out, unsigned field, Wire wire) {
  put_varint(out, (field << 3) | static_cast<unsigned>(wire));
}

void put_bytes(std::string& out, unsigned field, std::string_view bytes) {
  put_key(out, field, Wire::Bytes);
  put_varint(out, bytes.size());
  out += bytes;
}

std::string begin_event(std::uint64_t step) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  std::string event;
  put_key(event, 1, Wire::Fixed64);
  put_little_endian(event, std::bit_cast<std::uint64_t>(std::chrono::duration<double>(now).count()), 8);
  put_key(event, 2, Wire::Varint);
  put_varint(event, step);
  return event;
}

std::uint64_t little_endian(std::string_view text, std::size_t at, std::size_t bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i) {
    value |= std::uint64_t{static_cast<unsigned char>(text[at + i])} << (8 * i);
  }
  return value;
}

std::uint32_t masked_crc_of(std::string_view text) {
  return masked_crc32c(std::as_bytes(std::span(text)));
}

/// The step of an event as begin_event() writes it.
std::optional<std::uint64_t> step_of(std::string_view event) {
  constexpr std::size_t kStepAt = 10;  // behind the time (1 + 8 bytes) and the step's key
  std::uint64_t step = 0;
  for (std::size_t i = 0; kStepAt + i < event.size() && i < 10; ++i) {
    const auto byte = static_cast<unsigned char>(event[kStepAt + i]);
    step |= std::uint64_t{byte & 0x7FU} << (7 * i);
    if ((byte & 0x80U) == 0) return step;
  }
  return std::nullopt;
}

/// Bytes of the whole records, from the beginning, of steps up to `last_step`.
std::size_t bytes_to_keep(std::string_view file, std::uint64_t last_step) {
  constexpr std::size_t kHead = 12, kTail = 4;
  std::size_t keep = 0;
  while (file.size() - keep >= kHead + kTail) {
    const std::uint64_t length = little_endian(file, keep, 8);
    if (masked_crc_of(file.substr(keep, 8)) != little_endian(file, keep + 8, 4)) break;
    if (length > file.size() - keep - kHead - kTail) break;
    const std::string_view event = file.substr(keep + kHead, length);
    if (masked_crc_of(event) != little_endian(file, keep + kHead + length, 4)) break;
    const auto step = step_of(event);
    if (!step || *step > last_step) break;
    keep += kHead + length + kTail;
  }
  return keep;
}

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  throw cli::CommandError(cli::ExitCode::SystemRefused, "cannot write '" + path + "': " + why);
}

}  // namespace

EventFile::EventFile(std::string path, std::uint64_t last_step) : path_(std::move(path)) {
  std::error_code error;
  if (std::filesystem::exists(path_, error)) {
    const std::size_t keep = bytes_to_keep(read_file_text(path_), last_step);
    std::filesystem::resize_file(path_, keep, error);
    if (error) refuse(path_, error.message());
    if (keep > 0) return;
  }
  std::string first = begin_event(0);
  put_bytes(first, 3, "brain.Event:2");
  append(first);
}

void EventFile::add(std::uint64_t step, std::span<const Scalar> scalars) const {
  std::string summary;
  for (const Scalar& scalar : scalars) {
    std::string value;
    put_bytes(value, 1, scalar.tag);
    put_key(value, 2, Wire::Fixed32);
    put_little_endian(value, std::bit_cast<std::uint32_t>(static_cast<float>(scalar.value)), 4);
    put_bytes(summary, 1, value);
  }
  std::string event = begin_event(step);
  put_bytes(event, 5, summary);
  append(event);
}

void EventFile::append(const std::string& event) const {
  std::string record;
  put_little_endian(record, event.size(), 8);
  put_little_endian(record, masked_crc_of(record), 4);
  record += event;
  put_little_endian(record, masked_crc_of(event), 4);
  std::ofstream file(path_, std::ios::binary | std::ios::app);
  if (!file.write(record.data(), static_cast<std::streamsize>(record.size())).flush()) {
    refuse(path_, "the system refused; is the disk full?");
  }
}

}  // namespace bitplane::train
