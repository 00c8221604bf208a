// SPDX-License-Identifier: Apache-2.0
#include "trainer/run/metrics.h"

#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <variant>

namespace bitplane::train {
namespace {

struct Column {
  std::string_view name;
  std::variant<std::uint64_t EpochRow::*, double EpochRow::*> member;
};

const std::array<Column, 8> kMetricColumns{{{"epoch", &EpochRow::epoch},
                                            {"step", &EpochRow::step},
                                            {"loss", &EpochRow::loss},
                                            {"train_accuracy", &EpochRow::train_accuracy},
                                            {"test_accuracy", &EpochRow::test_accuracy},
                                            {"lr", &EpochRow::lr},
                                            {"seconds", &EpochRow::seconds},
                                            {"images_per_second", &EpochRow::images_per_second}}};

constexpr const char* kQuantizersKey = "quantizers";

nlohmann::ordered_json json_of(const EpochRow& row) {
  nlohmann::ordered_json json;
  for (const Column& column : kMetricColumns) {
    std::visit([&](auto member) { json[std::string(column.name)] = row.*member; }, column.member);
  }
  return json;
}

}  // namespace

std::string metrics_csv(std::span<const EpochRow> rows) {
  std::string text;
  for (const Column& column : kMetricColumns) text += (text.empty() ? "" : ",") + std::string(column.name);
  text += '\n';
  for (const EpochRow& row : rows) {
    std::string line;
    for (const auto& item : json_of(row)) line += (line.empty() ? "" : ",") + item.dump();
    text += line + '\n';
  }
  return text;
}

std::string metrics_jsonl(std::span<const EpochRow> rows) {
  std::string text;
  for (const EpochRow& row : rows) {
    nlohmann::ordered_json json = json_of(row);
    for (const Reading& reading : row.quantizers) json[kQuantizersKey][reading.name] = reading.value;
    text += json.dump() + '\n';
  }
  return text;
}

std::vector<EpochRow> parse_metrics_jsonl(std::string_view text) {
  std::vector<EpochRow> rows;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    try {
      const auto json = nlohmann::ordered_json::parse(line);
      EpochRow row;
      for (const Column& column : kMetricColumns) {
        std::visit([&](auto member) { json.at(std::string(column.name)).get_to(row.*member); },
                   column.member);
      }
      if (json.contains(kQuantizersKey)) {
        for (const auto& [name, value] : json.at(kQuantizersKey).items()) {
          row.quantizers.push_back({name, value.get<double>()});
        }
      }
      rows.push_back(row);
    } catch (const nlohmann::json::exception&) {
      throw std::invalid_argument("line " + std::to_string(rows.size() + 1) + " is not a row of metrics");
    }
  }
  return rows;
}

std::size_t count_csv_epochs(std::string_view text, std::uint64_t last_epoch) {
  std::size_t count = 0;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    std::uint64_t epoch = 0;  // stays so in the line of names
    std::from_chars(line.data(), line.data() + line.size(), epoch);
    if (epoch >= 1 && epoch <= last_epoch) ++count;
  }
  return count;
}

}  // namespace bitplane::train
