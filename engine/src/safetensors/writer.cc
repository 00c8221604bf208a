// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <tuple>
#include <utility>

#include "bitplane/safetensors.h"
#include "io/little_endian.h"
#include "io/no_throw.h"
#include "io/text.h"
#include "safetensors/layout.h"

namespace bitplane::engine {
namespace {

using Json = nlohmann::json;

Status invalid(std::string message) {
  return {StatusCode::InvalidArgument, std::move(message)};
}

/// Largest element first: every tensor then starts on a multiple of its element, because the data start on
/// one of 8. Then by name, so that the same tensors give the same bytes.
std::vector<const TensorEntry*> in_file_order(const Container& container) {
  std::vector<const TensorEntry*> order;
  order.reserve(container.tensors.size());
  for (const TensorEntry& entry : container.tensors) order.push_back(&entry);
  const auto key = [](const TensorEntry* e) {
    return std::tuple(-static_cast<int>(dtype_size(e->tensor.dtype)), std::string_view(e->name));
  };
  std::stable_sort(order.begin(), order.end(), [&](const auto* a, const auto* b) { return key(a) < key(b); });
  return order;
}

Status check_entries(const Container& container) {
  std::vector<std::string_view> names;
  for (const auto& [name, tensor] : container.tensors) {
    if (name.empty() || name == kMetadataKey || has_control_characters(name)) {
      return invalid("tensor name " + in_quotes(name) + ": empty, reserved or with control characters");
    }
    const std::optional<std::size_t> bytes = tensor_bytes(tensor.dtype, tensor.shape);
    if (!bytes || *bytes != tensor.bytes.size()) {
      return invalid("tensor " + in_quotes(name) + ": its shape takes " +
                     (bytes ? std::to_string(*bytes) : "more than 2^64") + " bytes, but it has " +
                     std::to_string(tensor.bytes.size()));
    }
    names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end()) return invalid("tensor name " + in_quotes(*twice) + " stands twice");
  for (const auto& [key, value] : container.metadata) {
    if (has_control_characters(key))
      return invalid("metadata key " + in_quotes(key) + " holds control characters");
  }
  return {};
}

// The JSON library sees strings alone: its arrays and objects allocate when they go, and where there is no
// memory then, the process ends.

/// Compact: {key:value,...} without the braces.
void append_member(std::string& text, std::string_view key, const std::string& value) {
  if (!text.empty()) text += ',';
  text += Json(key).dump() + ':' + value;
}

std::string numbers_text(std::span<const std::size_t> numbers) {
  std::string text;
  for (const std::size_t number : numbers) text += (text.empty() ? "" : ",") + std::to_string(number);
  return '[' + text + ']';
}

/// Its members in the order of their names.
std::string tensor_text(const TensorView& tensor, std::size_t offset) {
  std::string text;
  append_member(text, "data_offsets", numbers_text(std::array{offset, offset + tensor.bytes.size()}));
  append_member(text, "dtype", Json(dtype_name(tensor.dtype)).dump());
  append_member(text, "shape", numbers_text(tensor.shape));
  return '{' + text + '}';
}

std::string members_text(const Container& container, const std::vector<const TensorEntry*>& order) {
  std::string metadata, text;
  for (const auto& [key, value] : container.metadata) append_member(metadata, key, Json(value).dump());
  if (!metadata.empty()) append_member(text, kMetadataKey, '{' + metadata + '}');
  std::size_t offset = 0;
  for (const TensorEntry* entry : order) {
    append_member(text, entry->name, tensor_text(entry->tensor, offset));
    offset += entry->tensor.bytes.size();
  }
  return text;
}

Result<std::string> header_text(const Container& container, const std::vector<const TensorEntry*>& order) {
  std::string text = "{";
  try {
    text += members_text(container, order);
  } catch (const Json::exception&) {
    return invalid("a tensor name or metadata string is not valid UTF-8");
  }
  text += '}';
  text.resize((text.size() + 7) / 8 * 8, ' ');
  if (text.size() > kMaxHeaderBytes) {
    return invalid("header of " + std::to_string(text.size()) + " bytes: the format allows at most " +
                   std::to_string(kMaxHeaderBytes));
  }
  return text;
}

}  // namespace

Result<std::vector<std::byte>> serialize_safetensors(const Container& container) {
  return no_throw([&]() -> Result<std::vector<std::byte>> {
    if (Status status = check_entries(container); !status.ok()) return status;
    const std::vector<const TensorEntry*> order = in_file_order(container);
    const Result<std::string> header = header_text(container, order);
    if (!header.ok()) return header.status();
    const std::uint64_t length = header.value().size();

    std::size_t total = kLengthBytes + length;
    for (const TensorEntry* entry : order) total += entry->tensor.bytes.size();
    std::vector<std::byte> bytes;
    bytes.reserve(total);
    const auto append = [&](std::span<const std::byte> part) {
      bytes.insert(bytes.end(), part.begin(), part.end());
    };
    append(std::as_bytes(std::span(&length, 1)));
    append(std::as_bytes(std::span(header.value())));
    for (const TensorEntry* entry : order) append(entry->tensor.bytes);
    return bytes;
  });
}

}  // namespace bitplane::engine
