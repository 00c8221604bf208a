// SPDX-License-Identifier: Apache-2.0
#include "model/node_reader.h"

#include <algorithm>

#include "io/text.h"
#include "model/limits.h"

namespace bitplane::engine {
namespace {

std::string shape_text(std::span<const std::size_t> shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  return text + ']';
}

}  // namespace

ModelSource::ModelSource(const Container& container, std::shared_ptr<ViewedMemory> memory)
    : memory_(std::move(memory)) {
  for (const TensorEntry& entry : container.tensors) tensors_.emplace(entry.name, Slot{&entry.tensor, false});
}

const TensorView* ModelSource::take(const std::string& name) {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) return nullptr;
  found->second.used = true;
  return found->second.tensor;
}

void ModelSource::fail(std::string message) {
  if (status_.ok()) status_ = Status(StatusCode::InvalidFile, std::move(message));
}

Status ModelSource::finish() {
  for (const auto& [name, slot] : tensors_) {
    if (!slot.used) fail("tensor " + in_quotes(name) + " belongs to no node of the graph");
  }
  return status_;
}

NodeReader::NodeReader(ModelSource& source, const JsonObject& attributes, std::string name, std::string where)
    : source_(source),
      attributes_(attributes),
      used_(attributes.size()),
      name_(std::move(name)),
      where_(std::move(where)) {}

const JsonValue* NodeReader::attribute(std::string_view key) {
  const auto found =
      std::find_if(attributes_.begin(), attributes_.end(), [&](const JsonMember& m) { return m.key == key; });
  if (found == attributes_.end()) {
    fail(in_quotes(key) + " is missing");
    return nullptr;
  }
  used_[static_cast<std::size_t>(found - attributes_.begin())] = true;
  return &found->value;
}

void NodeReader::text(std::string_view key, std::string& value) {
  const JsonValue* json = attribute(key);
  if (json == nullptr) return;
  const auto* string = std::get_if<std::string>(&json->value);
  if (string == nullptr) return fail(in_quotes(key) + " is not a string");
  value = *string;
}

const JsonObject* NodeReader::object(std::string_view key) {
  const JsonValue* json = attribute(key);
  const auto* object = json == nullptr ? nullptr : std::get_if<JsonObject>(&json->value);
  if (object == nullptr) fail(in_quotes(key) + " is not an object");
  return object;
}

const JsonArray* NodeReader::array(std::string_view key) {
  const JsonValue* json = attribute(key);
  const auto* array = json == nullptr ? nullptr : std::get_if<JsonArray>(&json->value);
  if (array == nullptr) fail(in_quotes(key) + " is not an array");
  return array;
}

void NodeReader::texts(std::string_view key, std::vector<std::string>& values) {
  const JsonArray* items = array(key);
  if (items == nullptr) return;
  for (const JsonValue& item : *items) {
    const auto* string = std::get_if<std::string>(&item.value);
    if (string == nullptr) return fail(in_quotes(key) + " holds something else than strings");
    values.push_back(*string);
  }
}

void NodeReader::number(std::string_view key, std::size_t& value) {
  const JsonValue* json = attribute(key);
  if (json == nullptr) return;
  const auto* number = std::get_if<std::uint64_t>(&json->value);
  if (number == nullptr) return fail(in_quotes(key) + " is not a number");
  value = *number;
}

void NodeReader::pair(std::string_view key, std::size_t& first, std::size_t& second) {
  const JsonValue* json = attribute(key);
  if (json == nullptr) return;
  const auto* array = std::get_if<JsonArray>(&json->value);
  const bool two = array != nullptr && array->size() == 2;
  const auto* a = two ? std::get_if<std::uint64_t>(&(*array)[0].value) : nullptr;
  const auto* b = two ? std::get_if<std::uint64_t>(&(*array)[1].value) : nullptr;
  if (a == nullptr || b == nullptr) return fail(in_quotes(key) + " is not an array of two numbers");
  first = *a;
  second = *b;
}

std::size_t NodeReader::choose(std::string_view key, std::span<const std::string_view> names) {
  std::string value;
  text(key, value);
  const auto found = std::find(names.begin(), names.end(), value);
  if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
  std::string allowed;
  for (const std::string_view name : names) allowed += (allowed.empty() ? "" : ", ") + std::string(name);
  fail(in_quotes(key) + " is " + in_quotes(value) + "; allowed are " + allowed);
  return 0;
}

const TensorView* NodeReader::tensor(std::string_view name, DType dtype, Presence presence) {
  const std::string full_name = name_ + '.' + std::string(name);
  const TensorView* found = source_.take(full_name);
  if (found == nullptr) {
    if (presence == Presence::Required) fail("tensor " + in_quotes(full_name) + " is missing");
    return nullptr;
  }
  if (found->dtype != dtype) {
    fail("tensor " + in_quotes(full_name) + " is " + std::string(dtype_name(found->dtype)) + "; it must be " +
         std::string(dtype_name(dtype)));
    return nullptr;
  }
  if (found->bytes.empty()) {
    fail("tensor " + in_quotes(full_name) + " has no elements");
    return nullptr;
  }
  return found;
}

bool NodeReader::has_shape(std::string_view name, const TensorView& tensor,
                           std::span<const std::size_t> shape) {
  if (std::equal(tensor.shape.begin(), tensor.shape.end(), shape.begin(), shape.end())) return true;
  fail("tensor " + in_quotes(name_ + '.' + std::string(name)) + " has shape " + shape_text(tensor.shape) +
       "; it must have " + shape_text(shape));
  return false;
}

const TensorView* NodeReader::float_tensor(std::string_view name, Presence presence,
                                           std::initializer_list<std::size_t> lead) {
  const TensorView* found = tensor(name, DType::F32, presence);
  if (found == nullptr) return nullptr;
  std::vector<std::size_t> shape(lead);
  shape.push_back(found->shape.empty() ? 1 : found->shape.back());
  return has_shape(name, *found, shape) ? found : nullptr;
}

void NodeReader::floats(std::string_view name, std::vector<float>& values, Presence presence,
                        std::initializer_list<std::size_t> lead) {
  const TensorView* found = float_tensor(name, presence, lead);
  if (found != nullptr) values = values_of<float>(found->bytes);
}

void NodeReader::floats(std::string_view name, Values<float>& values, Presence presence,
                        std::initializer_list<std::size_t> lead) {
  const TensorView* found = float_tensor(name, presence, lead);
  if (found != nullptr) values = source_.large<float>(found->bytes);
}

void NodeReader::scalar(std::string_view name, float& value) {
  const TensorView* found = tensor(name, DType::F32, Presence::Required);
  if (found == nullptr || !has_shape(name, *found, std::array<std::size_t, 1>{1})) return;
  value = values_of<float>(found->bytes).front();
}

void NodeReader::bytes(std::string_view name, std::vector<std::uint8_t>& values, Presence presence,
                       std::initializer_list<std::size_t> shape) {
  const TensorView* found = tensor(name, DType::U8, presence);
  if (found == nullptr || !has_shape(name, *found, std::span(shape.begin(), shape.size()))) return;
  values = values_of<std::uint8_t>(found->bytes);
}

void NodeReader::words(std::string_view name, Planes& planes, std::size_t rows) {
  const TensorView* found = tensor(name, DType::I64, Presence::Required);
  if (found == nullptr) return;
  planes.rows = rows;
  const std::array<std::size_t, 3> shape{planes.planes, planes.rows, words_of(planes.k)};
  if (has_shape(name, *found, shape)) planes.words = source_.large<std::uint64_t>(found->bytes);
}

void NodeReader::finish() {
  const auto unread = std::find(used_.begin(), used_.end(), false);
  if (unread == used_.end()) return;
  fail("unknown attribute " + in_quotes(attributes_[static_cast<std::size_t>(unread - used_.begin())].key));
}

}  // namespace bitplane::engine
