// SPDX-License-Identifier: Apache-2.0
//
// Results for people, in columns.
#pragma once

#include <iosfwd>
#include <string>
#include <utility>
#include <vector>

namespace bitplane::cli {

enum class Align { Left, Right };

struct Column {
  std::string title;
  Align align = Align::Left;
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// As many cells as columns.
  void add(std::vector<std::string> row);
  /// Columns as wide as their widest cell, two spaces between, no trailing spaces.
  void print(std::ostream& out) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace bitplane::cli
