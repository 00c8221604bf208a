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

}  // namespace
}  // namespace bitplane::bench
