// SPDX-License-Identifier: Apache-2.0
//
// One half of how an operation meets the file. Each operation describes its attributes and tensors once, as a
// template over an archive (ops/*.h); NodeReader fills them in from the file, NodeWriter (node_writer.h) puts
// them there. Both offer the same functions, so that reading and writing cannot drift apart.
//
// The first error sticks; what comes after it does nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "bitplane/model_spec.h"
#include "bitplane/safetensors.h"
#include "io/little_endian.h"
#include "model/json_value.h"

namespace bitplane::engine {

enum class Presence : std::uint8_t { Required, Optional };

/// The tensors of a file and the first error of reading it, shared by the readers of its parts.
class ModelSource {
 public:
  /// Large arrays become views where the container's bytes lie in `memory`; without it they are copied.
  explicit ModelSource(const Container& container, std::shared_ptr<ViewedMemory> memory = nullptr);

  /// Null when the file has none of that name. Marks it as used.
  [[nodiscard]] const TensorView* take(const std::string& name);
  void fail(std::string message);
  [[nodiscard]] const Status& status() const noexcept { return status_; }
  /// A view of the bytes, or a copy: also where they do not lie on a multiple of T.
  template <class T>
  [[nodiscard]] Values<T> large(std::span<const std::byte> bytes) const {
    if (memory_ == nullptr || reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(T) != 0) {
      return values_of<T>(bytes);
    }
    return {{reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)}, memory_};
  }
  /// A tensor that nothing took is an error: the file means something that this reader does not understand.
  [[nodiscard]] Status finish();

 private:
  struct Slot {
    const TensorView* tensor;
    bool used;
  };
  std::map<std::string_view, Slot> tensors_;
  std::shared_ptr<ViewedMemory> memory_;
  Status status_;
};

class NodeReader {
 public:
  template <class T>
  using Value = T;

  /// `name` is the prefix of the tensors' names; `where` opens the messages. Keeps references to the first
  /// two.
  NodeReader(ModelSource& source, const JsonObject& attributes, std::string name, std::string where);
  /// For nodes, whose name is itself an attribute.
  void rename(std::string name, std::string where) {
    name_ = std::move(name);
    where_ = std::move(where);
  }

  void text(std::string_view key, std::string& value);
  void texts(std::string_view key, std::vector<std::string>& values);
  /// Null, with the error set, when it is missing or something else.
  [[nodiscard]] const JsonObject* object(std::string_view key);
  [[nodiscard]] const JsonArray* array(std::string_view key);
  void number(std::string_view key, std::size_t& value);
  void pair(std::string_view key, std::size_t& first, std::size_t& second);
  /// An enumeration whose enumerators are named in order.
  template <class Enum, std::size_t N>
  void choice(std::string_view key, Enum& value, const std::array<std::string_view, N>& names) {
    value = static_cast<Enum>(choose(key, names));
  }
  /// A variant whose alternatives are named in order; the chosen one is default-constructed.
  template <class... Alternatives>
  void alternative(std::string_view key, std::variant<Alternatives...>& value,
                   const std::array<std::string_view, sizeof...(Alternatives)>& names) {
    constexpr std::array<void (*)(std::variant<Alternatives...>&), sizeof...(Alternatives)> kEmplace{
        [](std::variant<Alternatives...>& v) { v.template emplace<Alternatives>(); }...};
    kEmplace[choose(key, names)](value);
  }

  /// F32 tensor [lead...][n]; n is whatever the file says.
  void floats(std::string_view tensor, std::vector<float>& values, Presence presence,
              std::initializer_list<std::size_t> lead = {});
  void floats(std::string_view tensor, Values<float>& values, Presence presence,
              std::initializer_list<std::size_t> lead = {});
  /// F32 tensor [1].
  void scalar(std::string_view tensor, float& value);
  /// U8 tensor of that shape.
  void bytes(std::string_view tensor, std::vector<std::uint8_t>& values, Presence presence,
             std::initializer_list<std::size_t> shape);
  /// I64 tensor [planes][rows][words(k)]; planes.planes and planes.k are known.
  void words(std::string_view tensor, Planes& planes, std::size_t rows);

  /// An attribute that nothing read is an error.
  void finish();

 private:
  [[nodiscard]] const JsonValue* attribute(std::string_view key);
  [[nodiscard]] std::size_t choose(std::string_view key, std::span<const std::string_view> names);
  [[nodiscard]] const TensorView* tensor(std::string_view name, DType dtype, Presence presence);
  [[nodiscard]] const TensorView* float_tensor(std::string_view name, Presence presence,
                                               std::initializer_list<std::size_t> lead);
  [[nodiscard]] bool has_shape(std::string_view name, const TensorView& tensor,
                               std::span<const std::size_t> shape);
  void fail(const std::string& message) { source_.fail(where_ + ": " + message); }

  ModelSource& source_;
  const JsonObject& attributes_;
  std::vector<bool> used_;
  std::string name_, where_;
};

}  // namespace bitplane::engine
