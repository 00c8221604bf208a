// SPDX-License-Identifier: Apache-2.0
#include "model/json_value.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_set>
#include <utility>

#include "io/text.h"

namespace bitplane::engine {
namespace {

using Json = nlohmann::json;

/// Builds the value from the parser's events. Objects and arrays under construction are on `open_`; each
/// moves into its parent when it ends.
class Builder {
 public:
  [[nodiscard]] JsonValue take() { return std::move(root_); }
  [[nodiscard]] const std::string& error() const noexcept { return error_; }

  bool null() { return fail("null is not allowed"); }
  bool boolean(bool) { return fail("true and false are not allowed"); }
  bool number_integer(Json::number_integer_t) { return fail("negative numbers are not allowed"); }
  bool number_float(Json::number_float_t, const std::string& text) {
    return fail("the number " + in_quotes(text) + " is not an unsigned 64-bit integer");
  }
  bool binary(Json::binary_t&) { return fail("binary data are not allowed"); }
  bool number_unsigned(Json::number_unsigned_t value) { return add({std::uint64_t{value}}); }
  bool string(std::string& text) { return add({std::move(text)}); }
  bool key(std::string& text) {
    Open& open = open_.back();
    if (!open.keys.insert(text).second) return fail("key " + in_quotes(text) + " stands twice");
    open.key = std::move(text);
    return true;
  }
  bool start_object(std::size_t) { return start({JsonObject{}}); }
  bool start_array(std::size_t) { return start({JsonArray{}}); }
  bool end_object() { return end(); }
  bool end_array() { return end(); }
  bool parse_error(std::size_t position, const std::string&, const Json::exception&) {
    return fail("not valid JSON at character " + std::to_string(position));
  }

 private:
  struct Open {
    JsonValue value;
    std::string key;  ///< the last one, whose value comes next
    std::unordered_set<std::string> keys;
  };

  bool fail(std::string message) {
    error_ = std::move(message);
    return false;
  }
  bool add(JsonValue value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (auto* object = std::get_if<JsonObject>(&open_.back().value.value)) {
      object->push_back({std::move(open_.back().key), std::move(value)});
    } else {
      std::get<JsonArray>(open_.back().value.value).push_back(std::move(value));
    }
    return true;
  }
  bool start(JsonValue value) {
    if (open_.size() == kMaxJsonDepth) return fail("nested deeper than " + std::to_string(kMaxJsonDepth));
    open_.push_back({std::move(value), {}, {}});
    return true;
  }
  bool end() {
    JsonValue value = std::move(open_.back().value);
    open_.pop_back();
    return add(std::move(value));
  }

  JsonValue root_;
  std::vector<Open> open_;
  std::string error_;
};

void append(std::string& text, const JsonValue& value);

struct Appender {
  std::string& text;

  void operator()(std::uint64_t number) const { text += std::to_string(number); }
  void operator()(const std::string& string) const { text += Json(string).dump(); }
  void operator()(const JsonArray& array) const {
    text += '[';
    for (std::size_t i = 0; i < array.size(); ++i) {
      if (i > 0) text += ',';
      append(text, array[i]);
    }
    text += ']';
  }
  void operator()(const JsonObject& object) const {
    text += '{';
    for (std::size_t i = 0; i < object.size(); ++i) {
      if (i > 0) text += ',';
      text += Json(object[i].key).dump() + ':';
      append(text, object[i].value);
    }
    text += '}';
  }
};

void append(std::string& text, const JsonValue& value) {
  std::visit(Appender{text}, value.value);
}

}  // namespace

Result<JsonValue> parse_json(std::string_view where, std::string_view text) {
  const auto invalid = [&](const std::string& message) {
    return Status(StatusCode::InvalidFile, std::string(where) + ": " + message);
  };
  if (text.size() > kMaxJsonBytes) {
    return invalid(std::to_string(text.size()) + " bytes of JSON; at most " + std::to_string(kMaxJsonBytes));
  }
  // The JSON library takes a NUL for the end of its input.
  if (std::find(text.begin(), text.end(), '\0') != text.end()) return invalid("a NUL character in the JSON");
  Builder builder;
  if (!Json::sax_parse(text.begin(), text.end(), &builder)) return invalid(builder.error());
  return builder.take();
}

Result<std::string> dump_json(const JsonValue& value) {
  try {
    std::string text;
    append(text, value);
    return text;
  } catch (const Json::exception&) {
    return Status(StatusCode::InvalidArgument, "a string of the model is not valid UTF-8");
  }
}

}  // namespace bitplane::engine
