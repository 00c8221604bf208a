// SPDX-License-Identifier: Apache-2.0
//
// Golden arrays as the trainer's tensors.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "golden/golden_json.h"
#include "trainer/quantizers/quantizer.h"
#include "trainer/tensor/tensor.h"

namespace bitplane::train::testing {

using Json = nlohmann::json;

inline std::vector<double> doubles(const Json& array) {
  return golden::array<double>(array);
}

inline Shape shape_of(const Json& array) {
  const std::vector<std::size_t> dims = golden::shape(array);
  switch (dims.size()) {
    case 1:
      return {dims[0]};
    case 2:
      return {dims[0], dims[1]};
    case 3:
      return {dims[0], dims[1], dims[2]};
    default:
      return {dims.at(0), dims.at(1), dims.at(2), dims.at(3)};
  }
}

inline Tensor tensor(const Json& array) {
  const auto values = array.at("data").get<std::vector<float>>();
  return Tensor::from(shape_of(array), values);
}

inline std::vector<std::uint16_t> labels(const Json& array) {
  return array.at("data").get<std::vector<std::uint16_t>>();
}

/// |got - expected| <= tolerance * max(1, |expected|), element by element.
template <class T>
void expect_close(std::span<const T> got, const std::vector<double>& expected, double tolerance,
                  const std::string& what) {
  ASSERT_EQ(got.size(), expected.size()) << what;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double bound = tolerance * std::max(1.0, std::abs(expected[i]));
    EXPECT_LE(std::abs(static_cast<double>(got[i]) - expected[i]), bound)
        << what << "[" << i << "]: got " << got[i] << ", expected " << expected[i];
  }
}

inline constexpr double kFloatTolerance = 1e-5;

/// What the quantizer keeps, trained or not.
inline Tensor& state_of(Quantizer& quantizer, const std::string& name) {
  Tensor* found = nullptr;
  const auto look = [&](const std::string& at, Tensor& tensor) {
    if (at == name) found = &tensor;
  };
  quantizer.visit_state(
      "", {.parameter = [&](const std::string& at, Parameter& p) { look(at, p.variable.mutable_value()); },
           .buffer = look});
  if (found == nullptr) throw std::logic_error("no state '" + name + "'");
  return *found;
}

inline void set_state(Quantizer& quantizer, const std::string& name, float value) {
  state_of(quantizer, name).fill(value);
}

inline void expect_close(const Tensor& got, const Json& expected, const std::string& what) {
  expect_close(got.values(), doubles(expected), kFloatTolerance, what);
}

}  // namespace bitplane::train::testing
