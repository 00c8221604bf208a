// SPDX-License-Identifier: Apache-2.0
//
// The benchmark's table: two small JSON files in, the verdict out.
#include "table/compare.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "table/json.h"
#include "table/markdown.h"

namespace bitplane::bench {
namespace {

Row row(const char* kernel, std::vector<double> seconds) {
  return {.key = {.group = "gemm",
                  .shape = "S1",
                  .bits = "1/2",
                  .basis = "uniform",
                  .kernel = kernel,
                  .isa = "avx512"},
          .macs = 1e6,
          .bit_operations = 2e6,
          .peak = "and+popcount+add",
          .work = 2e6,
          .seconds = std::move(seconds)};
}

Row peak(std::vector<double> seconds) {
  return {.key = {.group = "peaks", .shape = "and+popcount+add", .kernel = "vpopcntq", .isa = "avx512"},
          .work = 1e6,
          .unit = "Gbit-MAC/s",
          .seconds = std::move(seconds)};
}
Row peak(double seconds) {
  return peak(std::vector{seconds});
}

/// Nothing in it has the value that it would have had anyway.
Row full_row() {
  return {.key = {.group = "conv",
                  .shape = "a layer",
                  .bits = "1/2",
                  .basis = "uniform",
                  .kernel = "k",
                  .isa = "avx512"},
          .macs = 1e6,
          .bit_operations = 2e6,
          .peak = "and+popcount+add",
          .work = 3e6,
          .other_peak = "read 24 KiB",
          .other_work = 4e6,
          .gemm = "S1",
          .chosen_at = {"avx2", "avx512"},
          .unit = "Gbit-MAC/s",
          .seconds = {1e-3, 2e-3}};
}

class BenchFiles : public testing::Test {
 protected:
  ~BenchFiles() override {
    for (const std::string& path : paths_) std::filesystem::remove(path);
  }
  /// Through a file, as --json and --compare do.
  Table stored(const Table& table) {
    write_json(table, new_path());
    return read_json(paths_.back());
  }
  std::string new_path() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    paths_.push_back(
        (std::filesystem::temp_directory_path() /
         ("bitplane_bench_" + std::string(test->name()) + std::to_string(paths_.size()) + ".json"))
            .string());
    return paths_.back();
  }

 private:
  std::vector<std::string> paths_;
};

TEST_F(BenchFiles, RoundTripKeepsEverythingThatIsNotComputed) {
  const Table table{
      .machine = "a machine", .notes = {"a note"}, .rows = {full_row(), row("k", {1e-3}), peak(1e-3)}};
  const Table back = stored(table);
  EXPECT_EQ(back.machine, table.machine);
  EXPECT_EQ(back.notes, table.notes);
  ASSERT_EQ(back.rows.size(), table.rows.size());
  for (std::size_t i = 0; i < table.rows.size(); ++i) EXPECT_TRUE(back.rows[i] == table.rows[i]) << i;
  EXPECT_EQ(markdown(back), markdown(table));
}

TEST_F(BenchFiles, SlowerBeyondNoiseIsARegressionWithinItIsNot) {
  const Table before = stored({.rows = {row("steady", {1.00, 1.00, 1.01}), row("same", {1.00, 1.01, 1.02})}});
  const Table after = stored({.rows = {row("steady", {1.20, 1.21, 1.20}), row("same", {1.04, 1.03, 1.02})}});
  const Comparison comparison = compare(before, after);
  EXPECT_EQ(comparison.compared, 2U);
  ASSERT_EQ(comparison.regressions.size(), 1U);
  EXPECT_EQ(comparison.regressions[0].key.kernel, "steady");
  EXPECT_NEAR(comparison.regressions[0].slowdown, 1.20, 1e-9);
  EXPECT_TRUE(comparison.improvements.empty());
  EXPECT_NE(comparison_text(comparison).find("REGRESSION"), std::string::npos);
  EXPECT_NE(comparison_text(comparison).find(row_name(comparison.regressions[0].key)), std::string::npos);
}

TEST_F(BenchFiles, TheSpreadOfEitherRunIsNoise) {
  const Row calm = row("k", {1.00, 1.00, 1.00}), calm_slower = row("k", {1.20, 1.20, 1.20});
  const Row wild = row("k", {0.80, 1.00, 1.20}), wild_slower = row("k", {1.00, 1.20, 1.40});
  EXPECT_EQ(compare({.rows = {calm}}, {.rows = {calm_slower}}).regressions.size(), 1U);
  EXPECT_TRUE(compare({.rows = {wild}}, {.rows = {calm_slower}}).regressions.empty());
  EXPECT_TRUE(compare({.rows = {calm}}, {.rows = {wild_slower}}).regressions.empty());
}

TEST_F(BenchFiles, AnEqualShareOfASlowerMachineIsNoRegression) {
  const Table before = stored({.rows = {row("k", {1e-3}), peak(1e-3)}});
  EXPECT_TRUE(compare(before, stored({.rows = {row("k", {2e-3}), peak(2e-3)}})).regressions.empty());
  EXPECT_EQ(compare(before, stored({.rows = {row("k", {2e-3}), peak(1e-3)}})).regressions.size(), 1U);
  EXPECT_EQ(compare(before, stored({.rows = {row("k", {1e-3}), peak(2e-3)}})).improvements.size(), 1U);
}

// A share is as uncertain as the peak that it is a share of.
TEST_F(BenchFiles, TheSpreadOfAPeakIsNoiseWhereSharesAreCompared) {
  const Row steady = row("k", {1e-3}), slower = row("k", {1.2e-3});
  const Row calm = peak(1e-3), wild = peak(std::vector{0.8e-3, 1e-3, 1.2e-3});
  EXPECT_EQ(compare({.rows = {steady, calm}}, {.rows = {slower, calm}}).regressions.size(), 1U);
  EXPECT_TRUE(compare({.rows = {steady, wild}}, {.rows = {slower, calm}}).regressions.empty());
  EXPECT_TRUE(compare({.rows = {steady, calm}}, {.rows = {slower, wild}}).regressions.empty());
  EXPECT_EQ(compare({.rows = {steady, wild}}, {.rows = {slower}}).regressions.size(), 1U)
      << "times are compared here";
}

TEST_F(BenchFiles, RowsOfOneRunOnlyPeaksAndPeersAreNotCompared) {
  const Table before{
      .rows = {row("gone", {1.0}), row("stays", {1.0}), row("oneDNN matmul", {1.0}), peak(1.0)}};
  const Table after{.rows = {row("stays", {1.0}), row("new", {1.0}), row("oneDNN matmul", {9.0}), peak(1.0)}};
  const Comparison comparison = compare(before, after);
  EXPECT_EQ(comparison.compared, 1U);
  EXPECT_TRUE(comparison.regressions.empty());
  ASSERT_EQ(comparison.missing.size(), 1U);
  EXPECT_EQ(comparison.missing[0].kernel, "gone");
}

TEST_F(BenchFiles, UnreadableFilesSayWhichAndWhy) {
  const auto message_of = [](const std::string& path) {
    try {
      static_cast<void>(read_json(path));
    } catch (const std::runtime_error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  const std::string path = new_path();
  EXPECT_NE(message_of(path).find(path), std::string::npos);
  std::ofstream(path) << "{\"format\": 1, \"rows\": [";
  EXPECT_NE(message_of(path).find(path), std::string::npos);
  std::ofstream(path) << R"({"format": 99, "machine": "", "notes": [], "rows": []})";
  EXPECT_NE(message_of(path).find("version"), std::string::npos);
}

TEST(BenchTable, SharesAndRatiosAreOfTheSameIsaAndKindOfPeer) {
  Row peer = row("oneDNN matmul", {2e-3}), float_peer = row("Eigen", {1e-4}), narrow = peer;
  peer.key.bits = narrow.key.bits = "8/8";
  peer.key.basis = narrow.key.basis = "int8";
  narrow.key.isa = "avx2";
  narrow.seconds = {1e-5};
  float_peer.key.basis = "float";
  const Table table{.rows = {row("k", {1e-3}), peer, narrow, float_peer, peak(2.5e-4)}};
  EXPECT_NEAR(table.share_of_peak(table.rows[0]), 0.5, 1e-9);
  ASSERT_NE(table.best_peer(table.rows[0]), nullptr);
  EXPECT_EQ(table.best_peer(table.rows[0])->key, peer.key);
  const std::string text = markdown(table);
  EXPECT_NE(text.find("50 %"), std::string::npos);
  EXPECT_NE(text.find("| 2.00 |"), std::string::npos) << "twice as fast as the peer";
}

TEST(BenchTable, MedianAndSpread) {
  EXPECT_EQ(median({}), 0.0);
  EXPECT_EQ(median(std::vector{3.0, 1.0, 2.0}), 2.0);
  EXPECT_EQ(median(std::vector{4.0, 1.0, 2.0, 3.0}), 2.5);
  EXPECT_EQ(relative_spread(row("k", {2.0, 2.0, 2.0})), 0.0);
  EXPECT_NEAR(relative_spread(row("k", {1.0, 2.0, 3.0})), 0.25, 1e-9);
}

}  // namespace
}  // namespace bitplane::bench
