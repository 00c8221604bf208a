// SPDX-License-Identifier: Apache-2.0
#include "table/markdown.h"

#include <gtest/gtest.h>

#include <string>

namespace bitplane::bench {
namespace {

Row row_of(const std::string& kernel, double seconds, std::vector<std::string> chosen_at) {
  return {.key = {.group = "gemm",
                  .shape = "S1",
                  .bits = "1/2",
                  .basis = "uniform",
                  .kernel = kernel,
                  .isa = "avx2"},
          .macs = 1e6,
          .chosen_at = std::move(chosen_at),
          .seconds = {seconds}};
}

TEST(Markdown, SaysWhatSelectionByCostTakesOnlyWhereThatIsNotTheFastest) {
  Table table{.rows = {row_of("lut_a", 1e-3, {}), row_of("bitserial_b", 1.5e-3, {"avx2"})}};
  EXPECT_NE(markdown(table).find("lut_a (chosen: bitserial_b, 1.50x the time)"), std::string::npos)
      << markdown(table);
  table.rows = {row_of("lut_a", 1e-3, {"avx2"}), row_of("bitserial_b", 1.5e-3, {"avx512"})};
  EXPECT_NE(markdown(table).find("lut_a"), std::string::npos);
  EXPECT_EQ(markdown(table).find("chosen:"), std::string::npos) << markdown(table);
}

// S1 and S3 have as many MACs.
TEST(Markdown, ComparesALayerWithTheBareProductOfItsOwnSizes) {
  Row first = row_of("lut_a", 1e-3, {}), third = row_of("lut_a", 2e-3, {}), layer = row_of("lut_a", 5e-3, {});
  third.key.shape = "S3";
  layer.key.group = "conv";
  layer.key.shape = "14x14";
  layer.gemm = "S3";
  const auto ends_with_ratio = [](const Table& table, const std::string& ratio) {
    const std::string text = markdown(table);
    return text.find("| - | " + ratio + " |\n", text.find("\n## conv")) != std::string::npos;
  };
  const Table table{.rows = {first, third, layer}};
  EXPECT_TRUE(ends_with_ratio(table, "2.50")) << markdown(table);
  layer.gemm.clear();
  EXPECT_TRUE(ends_with_ratio({.rows = {first, third, layer}}, "-"));
  layer.gemm = "S1";
  EXPECT_TRUE(ends_with_ratio({.rows = {first, third, layer}}, "5.00"));
}

}  // namespace
}  // namespace bitplane::bench
