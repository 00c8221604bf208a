// SPDX-License-Identifier: Apache-2.0
#include "model/checks.h"

#include <algorithm>
#include <cmath>

#include "io/text.h"
#include "model/limits.h"

namespace bitplane::engine {

void Checks::range(std::string_view what, std::size_t value, std::size_t low, std::size_t high) {
  if (value >= low && value <= high) return;
  fail(std::string(what) + " is " + std::to_string(value) + "; allowed are " + std::to_string(low) + " to " +
       std::to_string(high));
}

void Checks::size(std::string_view what, std::size_t found, std::size_t wanted) {
  if (found == wanted) return;
  fail(std::string(what) + " has " + std::to_string(found) + " elements; it must have " +
       std::to_string(wanted));
}

void Checks::size_or_empty(std::string_view what, std::size_t found, std::size_t wanted) {
  if (found != 0) size(what, found, wanted);
}

void Checks::finite(std::string_view what, std::span<const float> values) {
  const auto bad = std::find_if(values.begin(), values.end(), [](float v) { return !std::isfinite(v); });
  if (bad == values.end()) return;
  fail(std::string(what) + "[" + std::to_string(bad - values.begin()) + "] is " + number_text(*bad) +
       "; it must be finite");
}

void Checks::not_negative(std::string_view what, std::span<const float> values) {
  finite(what, values);
  const auto bad = std::find_if(values.begin(), values.end(), [](float v) { return v < 0.0F; });
  if (bad == values.end()) return;
  fail(std::string(what) + "[" + std::to_string(bad - values.begin()) + "] is " + number_text(*bad) +
       "; it must not be negative");
}

void Checks::shape(std::string_view what, const NodeShape& shape) {
  range(std::string(what) + " height", shape.height, 1, kMaxDimension);
  range(std::string(what) + " width", shape.width, 1, kMaxDimension);
  range(std::string(what) + " channels", shape.channels, 1, kMaxDimension);
  if (ok()) elements(what, shape);
}

void Checks::elements(std::string_view what, const NodeShape& shape) {
  const std::size_t elements = shape.height * shape.width * shape.channels;
  if (elements > kMaxElements) {
    fail(std::string(what) + " of " + shape_text(shape) + " has " + std::to_string(elements) +
         " elements; allowed are " + std::to_string(kMaxElements));
  }
}

void Checks::float_input(const NodeFact& input) {
  if (input.quantizer == nullptr) return;
  fail(
      "its input holds the codes of a quantize node; this operation takes floats: put a dequantize between "
      "them (codes go to conv2d, linear and flatten only)",
      StatusCode::Unsupported);
}

std::string shape_text(const NodeShape& shape) {
  return std::to_string(shape.height) + 'x' + std::to_string(shape.width) + 'x' +
         std::to_string(shape.channels);
}

}  // namespace bitplane::engine
