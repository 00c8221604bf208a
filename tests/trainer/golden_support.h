// SPDX-License-Identifier: Apache-2.0
//
// Reads tests/golden/*.json (see the files' own hint for how they were made).
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "trainer/tensor/tensor.h"

namespace bitplane::train::testing {

using Json = nlohmann::json;

inline std::vector<Json> golden_cases(const std::string& file, const std::string& kind) {
  std::ifstream in(std::string(BITPLANE_GOLDEN_DIR) + "/" + file);
  if (!in) throw std::runtime_error("cannot open golden file " + file);
  std::vector<Json> cases;
  const Json file_content = Json::parse(in);
  for (const Json& c : file_content.at("cases")) {
    if (c.at("kind") == kind) cases.push_back(c);
  }
  if (cases.empty()) throw std::runtime_error(file + " has no case of kind " + kind);
  return cases;
}

inline std::vector<double> doubles(const Json& array) {
  return array.at("data").get<std::vector<double>>();
}

inline Shape shape_of(const Json& array) {
  const auto dims = array.at("shape").get<std::vector<std::size_t>>();
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

inline void expect_close(const Tensor& got, const Json& expected, const std::string& what) {
  expect_close(got.values(), doubles(expected), kFloatTolerance, what);
}

}  // namespace bitplane::train::testing
