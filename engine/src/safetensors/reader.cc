// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <tuple>
#include <utility>

#include "bitplane/safetensors.h"
#include "io/little_endian.h"
#include "io/no_throw.h"
#include "io/text.h"
#include "safetensors/header.h"
#include "safetensors/layout.h"

namespace bitplane::engine {
namespace {

Status invalid(std::string message) {
  return {StatusCode::InvalidFile, std::move(message)};
}

/// The header's text, once its length was compared with the file's.
Result<std::string_view> header_text(std::span<const std::byte> bytes) {
  if (bytes.size() < kLengthBytes) {
    return invalid("file of " + std::to_string(bytes.size()) + " bytes: too short for a safetensors file");
  }
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), kLengthBytes);
  if (length > kMaxHeaderBytes) {
    return invalid("header length " + std::to_string(length) + ": the format allows at most " +
                   std::to_string(kMaxHeaderBytes) + "; this is no safetensors file, or a damaged one");
  }
  if (length > bytes.size() - kLengthBytes) {
    return invalid("header length " + std::to_string(length) + ": the file has only " +
                   std::to_string(bytes.size()) + " bytes; it is cut or damaged");
  }
  return std::string_view(reinterpret_cast<const char*>(bytes.data()) + kLengthBytes, length);
}

/// In file order: the tensors must follow each other from offset 0 to the end of the data, each with exactly
/// the bytes that its shape and dtype take.
Status check_layout(const std::vector<HeaderTensor>& tensors, std::size_t data_bytes) {
  std::size_t expected = 0;
  for (const HeaderTensor& t : tensors) {
    const std::string where = "tensor " + in_quotes(t.name);
    if (t.begin != expected || t.end < t.begin) {
      return invalid(where + ": data_offsets [" + std::to_string(t.begin) + ", " + std::to_string(t.end) +
                     "] leave a hole or overlap; expected a begin at " + std::to_string(expected));
    }
    const std::optional<std::size_t> bytes = tensor_bytes(t.dtype, t.shape);
    if (!bytes || *bytes != t.end - t.begin) {
      return invalid(where + ": its shape takes " + (bytes ? std::to_string(*bytes) : "more than 2^64") +
                     " bytes, its data_offsets " + std::to_string(t.end - t.begin));
    }
    if (t.end > data_bytes) {
      return invalid(where + ": ends at byte " + std::to_string(t.end) + " of the data, which have " +
                     std::to_string(data_bytes) + "; the file is cut or damaged");
    }
    expected = t.end;
  }
  if (expected != data_bytes) {
    return invalid(std::to_string(data_bytes - expected) + " bytes behind the last tensor belong to none");
  }
  return {};
}

}  // namespace

Result<Container> parse_safetensors(std::span<const std::byte> bytes) {
  return no_throw([&]() -> Result<Container> {
    const Result<std::string_view> text = header_text(bytes);
    if (!text.ok()) return text.status();
    Result<Header> header = parse_header(text.value());
    if (!header.ok()) return header.status();
    std::vector<HeaderTensor>& tensors = header->tensors;
    std::sort(tensors.begin(), tensors.end(), [](const HeaderTensor& a, const HeaderTensor& b) {
      return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
    });
    const std::span<const std::byte> data = bytes.subspan(kLengthBytes + text.value().size());
    if (Status status = check_layout(tensors, data.size()); !status.ok()) return status;

    Container container;
    container.metadata = std::move(header->metadata);
    container.tensors.reserve(tensors.size());
    for (HeaderTensor& t : tensors) {
      container.tensors.push_back(
          {std::move(t.name), {t.dtype, std::move(t.shape), data.subspan(t.begin, t.end - t.begin)}});
    }
    return container;
  });
}

}  // namespace bitplane::engine
