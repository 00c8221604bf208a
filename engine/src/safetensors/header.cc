// SPDX-License-Identifier: Apache-2.0
#include "safetensors/header.h"

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <unordered_set>
#include <utility>

#include "io/little_endian.h"
#include "io/text.h"
#include "safetensors/layout.h"

namespace bitplane::engine {
namespace {

using Json = nlohmann::json;

/// Receives the header's JSON events in order. A DOM would keep only one of two equal keys and would grow
/// with whatever nesting the file asks for; this keeps what the format has and stops at the first other
/// thing.
class HeaderHandler {
 public:
  [[nodiscard]] Header take_header() { return std::move(header_); }
  [[nodiscard]] const std::string& error() const noexcept { return error_; }

  bool null() { return refuse("null"); }
  bool boolean(bool) { return refuse("a boolean"); }
  bool number_integer(Json::number_integer_t) { return refuse("a negative number"); }
  bool number_float(Json::number_float_t, const std::string& text) {
    return refuse("the number " + in_quotes(text));
  }
  bool binary(Json::binary_t&) { return refuse("binary data"); }
  bool number_unsigned(Json::number_unsigned_t value);
  bool string(std::string& text);
  bool key(std::string& text);
  bool start_object(std::size_t);
  bool end_object();
  bool start_array(std::size_t);
  bool end_array();
  bool parse_error(std::size_t position, const std::string&, const Json::exception& error);

 private:
  /// Where the parser stands: each place allows few things.
  enum class Place : std::uint8_t { Start, Root, Metadata, Tensor, Shape, Offsets, End };
  enum class Field : std::uint8_t { None, DType, Shape, Offsets };

  bool fail(std::string message) {
    error_ = std::move(message);
    return false;
  }
  bool refuse(const std::string& found) {
    return fail(where() + ": found " + found + " where the format has none");
  }
  [[nodiscard]] std::string where() const;
  bool root_key(std::string& text);
  bool tensor_key(std::string& text);

  Header header_;
  HeaderTensor tensor_;
  std::vector<std::size_t> offsets_;
  std::string name_;  ///< the last key of the root object
  std::string metadata_key_;
  std::unordered_set<std::string> names_;
  Place place_ = Place::Start;
  Field field_ = Field::None;   ///< the last key of a tensor's object
  std::array<bool, 4> seen_{};  ///< by Field
  std::string error_;
};

std::string HeaderHandler::where() const {
  switch (place_) {
    case Place::Start:
    case Place::Root:
    case Place::End:
      return "header";
    case Place::Metadata:
      return "header, metadata " + in_quotes(metadata_key_);
    case Place::Tensor:
    case Place::Shape:
    case Place::Offsets:
      return "header, tensor " + in_quotes(name_);
  }
  return "header";
}

bool HeaderHandler::number_unsigned(Json::number_unsigned_t value) {
  if (place_ == Place::Shape) {
    tensor_.shape.push_back(value);
    return true;
  }
  if (place_ == Place::Offsets) {
    if (offsets_.size() == 2) return fail(where() + ": data_offsets has more than two numbers");
    offsets_.push_back(value);
    return true;
  }
  return refuse("a number");
}

bool HeaderHandler::string(std::string& text) {
  if (place_ == Place::Metadata) {
    header_.metadata[metadata_key_] = std::move(text);
    return true;
  }
  if (place_ == Place::Tensor && field_ == Field::DType) {
    const std::optional<DType> dtype = dtype_from_name(text);
    if (!dtype) return fail(where() + ": dtype " + in_quotes(text) + " is not one of U8, I32, I64, F32, F64");
    tensor_.dtype = *dtype;
    return true;
  }
  return refuse("a string");
}

bool HeaderHandler::key(std::string& text) {
  switch (place_) {
    case Place::Root:
      return root_key(text);
    case Place::Tensor:
      return tensor_key(text);
    case Place::Metadata:
      if (has_control_characters(text)) return fail("header: a metadata key holds control characters");
      if (header_.metadata.count(text) != 0)
        return fail("header: metadata key " + in_quotes(text) + " stands twice");
      metadata_key_ = std::move(text);
      return true;
    default:
      return refuse("a key");
  }
}

bool HeaderHandler::root_key(std::string& text) {
  if (text.empty()) return fail("header: a tensor has an empty name");
  if (has_control_characters(text))
    return fail("header: tensor name " + in_quotes(text) + " holds control characters");
  if (!names_.insert(text).second) return fail("header: key " + in_quotes(text) + " stands twice");
  name_ = std::move(text);
  return true;
}

bool HeaderHandler::tensor_key(std::string& text) {
  field_ = text == "dtype" ? Field::DType : text == "shape" ? Field::Shape : Field::None;
  if (text == "data_offsets") field_ = Field::Offsets;
  if (field_ == Field::None) return fail(where() + ": unknown key " + in_quotes(text));
  bool& seen = seen_[static_cast<std::size_t>(field_)];
  if (seen) return fail(where() + ": key " + in_quotes(text) + " stands twice");
  seen = true;
  return true;
}

bool HeaderHandler::start_object(std::size_t) {
  if (place_ == Place::Start) {
    place_ = Place::Root;
    return true;
  }
  if (place_ != Place::Root) return refuse("an object");
  if (name_ == kMetadataKey) {
    place_ = Place::Metadata;
    return true;
  }
  place_ = Place::Tensor;
  tensor_ = HeaderTensor{};
  tensor_.name = name_;
  offsets_.clear();
  seen_.fill(false);
  return true;
}

bool HeaderHandler::end_object() {
  if (place_ == Place::Root) {
    place_ = Place::End;
    return true;
  }
  if (place_ == Place::Tensor) {
    for (const Field field : {Field::DType, Field::Shape, Field::Offsets}) {
      if (!seen_[static_cast<std::size_t>(field)])
        return fail(where() + ": dtype, shape or data_offsets is missing");
    }
    if (offsets_.size() != 2) return fail(where() + ": data_offsets has less than two numbers");
    tensor_.begin = offsets_[0];
    tensor_.end = offsets_[1];
    header_.tensors.push_back(std::move(tensor_));
  }
  place_ = Place::Root;
  return true;
}

bool HeaderHandler::start_array(std::size_t) {
  if (place_ != Place::Tensor || (field_ != Field::Shape && field_ != Field::Offsets))
    return refuse("an array");
  place_ = field_ == Field::Shape ? Place::Shape : Place::Offsets;
  return true;
}

bool HeaderHandler::end_array() {
  place_ = Place::Tensor;
  return true;
}

bool HeaderHandler::parse_error(std::size_t position, const std::string&, const Json::exception&) {
  return fail("header: not valid JSON at byte " + std::to_string(kLengthBytes + position) + " of the file");
}

}  // namespace

Result<Header> parse_header(std::string_view json) {
  const auto invalid = [](std::string message) {
    return Status(StatusCode::InvalidFile, std::move(message));
  };
  if (json.empty() || json.front() != '{') return invalid("header: it does not begin with '{'");
  // The JSON library takes a NUL for the end of its input; other controls are no JSON either.
  const auto is_control = [](char c) {
    return static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\r' && c != '\t';
  };
  if (std::any_of(json.begin(), json.end(), is_control))
    return invalid("header: it holds control characters");
  HeaderHandler handler;
  if (!Json::sax_parse(json.begin(), json.end(), &handler)) return invalid(handler.error());
  return handler.take_header();
}

}  // namespace bitplane::engine
