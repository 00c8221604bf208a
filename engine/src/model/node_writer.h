// SPDX-License-Identifier: Apache-2.0
//
// The other half of how an operation meets the file: see node_reader.h. Tensors are views into the spec.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "bitplane/model_spec.h"
#include "bitplane/safetensors.h"
#include "model/json_value.h"
#include "model/node_reader.h"

namespace bitplane::engine {

class NodeWriter {
 public:
  template <class T>
  using Value = const T;

  NodeWriter(std::vector<TensorEntry>& tensors, std::string name)
      : tensors_(tensors), name_(std::move(name)) {}

  void text(std::string_view key, const std::string& value) { add(key, {value}); }
  void texts(std::string_view key, const std::vector<std::string>& values);
  void number(std::string_view key, std::size_t value) { add(key, {std::uint64_t{value}}); }
  void pair(std::string_view key, std::size_t first, std::size_t second) {
    add(key, {JsonArray{{std::uint64_t{first}}, {std::uint64_t{second}}}});
  }
  template <class Enum, std::size_t N>
  void choice(std::string_view key, Enum value, const std::array<std::string_view, N>& names) {
    add(key, {std::string(names[static_cast<std::size_t>(value)])});
  }
  template <class... Alternatives>
  void alternative(std::string_view key, const std::variant<Alternatives...>& value,
                   const std::array<std::string_view, sizeof...(Alternatives)>& names) {
    add(key, {std::string(names[value.index()])});
  }
  void floats(std::string_view tensor, std::span<const float> values, Presence presence,
              std::initializer_list<std::size_t> lead = {});
  void scalar(std::string_view tensor, const float& value);
  void bytes(std::string_view tensor, const std::vector<std::uint8_t>& values, Presence presence,
             std::initializer_list<std::size_t> shape);
  void words(std::string_view tensor, const Planes& planes, std::size_t rows);

  [[nodiscard]] JsonObject take() { return std::move(attributes_); }

 private:
  void add(std::string_view key, JsonValue value) {
    attributes_.push_back({std::string(key), std::move(value)});
  }
  void add_tensor(std::string_view tensor, TensorView view) {
    tensors_.push_back({name_ + '.' + std::string(tensor), std::move(view)});
  }

  std::vector<TensorEntry>& tensors_;
  JsonObject attributes_;
  std::string name_;
};

}  // namespace bitplane::engine
