// SPDX-License-Identifier: Apache-2.0
#include "table/json.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace bitplane::bench {
namespace {

using nlohmann::json;
constexpr int kFormat = 2;  // 2: MACs and work without padding; every field of a row

json json_of(const Table& table, const Row& row) {
  const double seconds = median_seconds(row);
  json out{{"group", row.key.group},
           {"shape", row.key.shape},
           {"bits", row.key.bits},
           {"basis", row.key.basis},
           {"kernel", row.key.kernel},
           {"isa", row.key.isa},
           {"macs", row.macs},
           {"bit_operations", row.bit_operations},
           {"peak", row.peak},
           {"work", row.work},
           {"other_peak", row.other_peak},
           {"other_work", row.other_work},
           {"gemm", row.gemm},
           {"chosen_at", row.chosen_at},
           {"unit", row.unit},
           {"seconds", row.seconds},
           {"microseconds_median", seconds * 1e6},
           {"relative_spread", relative_spread(row)}};
  if (row.macs > 0 && seconds > 0) out["gmac_per_second"] = row.macs / seconds * 1e-9;
  if (row.bit_operations > 0 && seconds > 0)
    out["gbit_operations_per_second"] = row.bit_operations / seconds * 1e-9;
  if (const double share = table.share_of_peak(row); share > 0) out["share_of_peak"] = share;
  if (const Row* peer = table.best_peer(row); peer != nullptr && !is_peer(row))
    out["times_best_peer"] = median_seconds(*peer) / seconds;
  return out;
}

Row row_of(const json& in) {
  Row row;
  row.key = {.group = in.at("group"),
             .shape = in.at("shape"),
             .bits = in.at("bits"),
             .basis = in.at("basis"),
             .kernel = in.at("kernel"),
             .isa = in.at("isa")};
  row.macs = in.at("macs");
  row.bit_operations = in.at("bit_operations");
  row.peak = in.at("peak");
  row.work = in.at("work");
  row.other_peak = in.at("other_peak");
  row.other_work = in.at("other_work");
  row.gemm = in.at("gemm");
  row.chosen_at = in.at("chosen_at").get<std::vector<std::string>>();
  row.unit = in.at("unit");
  row.seconds = in.at("seconds").get<std::vector<double>>();
  return row;
}

}  // namespace

void write_json(const Table& table, const std::string& path) {
  json rows = json::array();
  for (const Row& row : table.rows) rows.push_back(json_of(table, row));
  std::ofstream file(path);
  file << json{{"format", kFormat}, {"machine", table.machine}, {"notes", table.notes}, {"rows", rows}}.dump(
              1)
       << "\n";
  if (!file.flush()) throw std::runtime_error(path + ": cannot be written");
}

Table read_json(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error(path + ": cannot be read");
  try {
    const json in = json::parse(file);
    if (in.at("format") != kFormat) throw std::runtime_error("is of another version of the benchmark");
    Table table{.machine = in.at("machine"), .notes = in.at("notes"), .rows = {}};
    for (const json& row : in.at("rows")) table.rows.push_back(row_of(row));
    return table;
  } catch (const std::exception& error) {
    throw std::runtime_error(path + ": " + error.what());
  }
}

}  // namespace bitplane::bench
