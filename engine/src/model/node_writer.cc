// SPDX-License-Identifier: Apache-2.0
#include "model/node_writer.h"

#include <span>

#include "model/limits.h"

namespace bitplane::engine {

void NodeWriter::texts(std::string_view key, const std::vector<std::string>& values) {
  JsonArray array;
  for (const std::string& value : values) array.push_back({value});
  add(key, {std::move(array)});
}

void NodeWriter::floats(std::string_view tensor, std::span<const float> values, Presence presence,
                        std::initializer_list<std::size_t> lead) {
  if (presence == Presence::Optional && values.empty()) return;
  std::vector<std::size_t> shape(lead);
  std::size_t rows = 1;
  for (const std::size_t dimension : shape) rows *= dimension;
  shape.push_back(values.size() / rows);
  add_tensor(tensor, {DType::F32, std::move(shape), std::as_bytes(values)});
}

void NodeWriter::scalar(std::string_view tensor, const float& value) {
  add_tensor(tensor, {DType::F32, {1}, std::as_bytes(std::span(&value, 1))});
}

void NodeWriter::bytes(std::string_view tensor, const std::vector<std::uint8_t>& values, Presence presence,
                       std::initializer_list<std::size_t> shape) {
  if (presence == Presence::Optional && values.empty()) return;
  add_tensor(tensor, {DType::U8, shape, std::as_bytes(std::span(values))});
}

void NodeWriter::words(std::string_view tensor, const Planes& planes, std::size_t rows) {
  add_tensor(tensor,
             {DType::I64, {planes.planes, rows, words_of(planes.k)}, std::as_bytes(std::span(planes.words))});
}

}  // namespace bitplane::engine
