// SPDX-License-Identifier: Apache-2.0
//
// Reads tests/golden/*.json (README.md there says how they were made).
#pragma once

#include <cstddef>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace bitplane::golden {

using Json = nlohmann::json;

/// Every case of tests/golden/<suite>.json; at least one.
inline std::vector<Json> cases(const std::string& suite) {
  std::ifstream file(std::string(BITPLANE_GOLDEN_DIR) + "/" + suite + ".json");
  if (!file) throw std::runtime_error("cannot open the golden file " + suite + ".json");
  const Json content = Json::parse(file);
  std::vector<Json> found(content.at("cases").begin(), content.at("cases").end());
  if (found.empty()) throw std::runtime_error(suite + ".json has no case");
  return found;
}

/// Those of one kind; at least one.
inline std::vector<Json> cases(const std::string& suite, const std::string& kind) {
  std::vector<Json> found = cases(suite);
  std::erase_if(found, [&](const Json& c) { return c.at("kind") != kind; });
  if (found.empty()) throw std::runtime_error(suite + ".json has no case of kind " + kind);
  return found;
}

template <class T = float>
std::vector<T> array(const Json& value) {
  return value.at("data").get<std::vector<T>>();
}

inline std::vector<std::size_t> shape(const Json& value) {
  return value.at("shape").get<std::vector<std::size_t>>();
}

}  // namespace bitplane::golden
