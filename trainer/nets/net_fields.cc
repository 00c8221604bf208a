// SPDX-License-Identifier: Apache-2.0
#include "trainer/nets/net_fields.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "engine/data/nearest_name.h"

namespace bitplane::train {

NetElement::NetElement(const NetJson& json, std::string where) : json_(&json), where_(std::move(where)) {
  if (!json.is_object()) fail("it must be an object of keys and values, not " + json.dump());
}

void NetElement::fail(const std::string& what) const {
  throw NetFileError(where_ + ": " + what);
}

const NetJson* NetElement::find(const char* key) {
  if (std::find(asked_.begin(), asked_.end(), key) == asked_.end()) asked_.emplace_back(key);
  const auto found = json_->find(key);
  return found == json_->end() ? nullptr : &*found;
}

bool NetElement::has(const char* key) {
  return find(key) != nullptr;
}

bool NetElement::is_text(const char* key) {
  const NetJson* value = find(key);
  return value != nullptr && value->is_string();
}

void NetElement::fail_missing(const char* key) const {
  std::vector<std::string> unread;
  for (const auto& [name, value] : json_->items()) {
    if (std::find(asked_.begin(), asked_.end(), name) == asked_.end()) unread.push_back(name);
  }
  const std::vector<std::string_view> names(unread.begin(), unread.end());
  const auto near = engine::data::nearest_name(key, names);
  fail("it has no '" + std::string(key) + "'" +
       (near ? "; is that what '" + std::string(*near) + "' should be?" : ""));
}

std::string NetElement::text(const char* key, const std::string& otherwise) {
  const NetJson* value = find(key);
  if (value == nullptr) return otherwise;
  if (!value->is_string()) fail("'" + std::string(key) + "' is " + value->dump() + ": it must be a string");
  return value->get<std::string>();
}

std::string NetElement::required_text(const char* key) {
  if (!has(key)) fail_missing(key);
  return text(key, "");
}

std::size_t NetElement::count(const char* key, std::size_t otherwise, const cli::WholeRange& range) {
  const NetJson* value = find(key);
  if (value == nullptr) return otherwise;
  if (!value->is_number_unsigned() || value->get<std::uint64_t>() < range.least ||
      value->get<std::uint64_t>() > range.most) {
    fail("'" + std::string(key) + "' is " + value->dump() + ": it must be " + cli::wanted_text(range));
  }
  return value->get<std::size_t>();
}

std::size_t NetElement::required_count(const char* key) {
  if (!has(key)) fail_missing(key);
  return count(key, 1, kAtLeastOne);
}

double NetElement::number(const char* key, double otherwise, const cli::RealRange& range) {
  const NetJson* value = find(key);
  if (value == nullptr) return otherwise;
  if (!value->is_number()) fail("'" + std::string(key) + "' is " + value->dump() + ": it must be a number");
  const auto given = value->get<double>();
  if (given < range.least || given > range.most)
    fail("'" + std::string(key) + "' is " + value->dump() + ": it must be " + cli::wanted_text(range));
  return given;
}

bool NetElement::flag(const char* key, bool otherwise) {
  const NetJson* value = find(key);
  if (value == nullptr) return otherwise;
  if (!value->is_boolean())
    fail("'" + std::string(key) + "' is " + value->dump() + ": it must be true or false");
  return value->get<bool>();
}

std::size_t NetElement::choice(const char* key, std::span<const std::string_view> known,
                               std::size_t otherwise) {
  const std::string value = text(key, std::string(known[otherwise]));
  const auto found = std::find(known.begin(), known.end(), value);
  if (found == known.end()) fail(engine::data::unknown_name_message(key, value, known));
  return static_cast<std::size_t>(found - known.begin());
}

std::vector<NetElement> NetElement::elements(const char* key) {
  std::vector<NetElement> all;
  const NetJson* value = find(key);
  if (value == nullptr) return all;
  if (!value->is_array()) fail("'" + std::string(key) + "' is " + value->dump() + ": it must be a list");
  for (std::size_t i = 0; i < value->size(); ++i)
    all.emplace_back((*value)[i],
                     where_ + (where_.ends_with(".json") ? ": " : ".") + key + "[" + std::to_string(i) + "]");
  return all;
}

std::vector<NetElement> NetElement::required_elements(const char* key) {
  if (!has(key)) fail_missing(key);
  return elements(key);
}

void NetElement::finish() const {
  const std::vector<std::string_view> known(asked_.begin(), asked_.end());
  for (const auto& [key, value] : json_->items()) {
    if (std::find(known.begin(), known.end(), key) == known.end())
      fail(engine::data::unknown_name_message("key", key, known));
  }
}

}  // namespace bitplane::train
