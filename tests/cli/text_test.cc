// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <optional>
#include <sstream>
#include <stdexcept>

#include "engine/cli/shared/errors.h"
#include "engine/cli/shared/number_text.h"
#include "engine/cli/shared/numbers.h"
#include "engine/cli/shared/table.h"

namespace bitplane::cli {
namespace {

TEST(NumberText, IsShort) {
  EXPECT_EQ(fixed(3.14159, 2), "3.14");
  EXPECT_EQ(short_count(0), "0");
  EXPECT_EQ(short_count(999), "999");
  EXPECT_EQ(short_count(1234567), "1.23 M");
  EXPECT_EQ(short_bytes(1023), "1023 B");
  EXPECT_EQ(short_bytes(18874), "18.4 KiB");
  EXPECT_EQ(percent(0.91855), "91.86 %");
  EXPECT_EQ(percent(1.0, 0), "100 %");
  EXPECT_EQ(shortest(1048576.0), "1048576");
  EXPECT_EQ(shortest(1e6), "1000000");
  EXPECT_EQ(shortest(1e-12), "1e-12");
  EXPECT_EQ(shortest(0.1), "0.1");
  EXPECT_EQ(shortest(1e30), "1e+30");
}

TEST(Numbers, AreDecimalAndWithinTheirRange) {
  EXPECT_EQ(parse_number("010", WholeRange{}), 10U);
  EXPECT_EQ(parse_number("18446744073709551615", WholeRange{}), 18446744073709551615U);
  EXPECT_EQ(parse_number("18446744073709551616", WholeRange{}), std::nullopt);
  EXPECT_EQ(parse_number("5", WholeRange{.least = 1, .most = 4}), std::nullopt);
  const RealRange real{.least = -10, .most = 10};
  for (const char* text : {"1", "+1", "1.0", "1.", "10e-1", ".1e1"}) EXPECT_EQ(parse_number(text, real), 1.0);
  for (const char* text : {"", "+", "+-1", "++1", "0x1", "nan", "inf", "1e999", "11", "1 ", "1,0"})
    EXPECT_EQ(parse_number(text, real), std::nullopt) << text;
  EXPECT_EQ(whole_numbers_of({.least = 0.5, .most = 1e30}).least, 1U);
  EXPECT_EQ(whole_numbers_of({.least = 0.5, .most = 1e30}).most, 18446744073709551615U);
}

TEST(Table, AlignsItsColumns) {
  Table table({{"name"}, {"value", Align::Right}, {"note"}});
  table.add({"a", "1", ""});
  table.add({"longer", "12345678", "x"});
  std::ostringstream out;
  table.print(out);
  EXPECT_EQ(out.str(),
            "name       value  note\n"
            "a              1\n"
            "longer  12345678  x\n");
  EXPECT_THROW(table.add({"too", "few"}), std::logic_error);
}

TEST(Errors, EveryStatusHasItsExitCode) {
  using engine::Status, engine::StatusCode;
  EXPECT_EQ(CommandError(Status(StatusCode::NotFound, "x")).code(), ExitCode::BadInput);
  EXPECT_EQ(CommandError(Status(StatusCode::InvalidFile, "x")).code(), ExitCode::BadInput);
  EXPECT_EQ(CommandError(Status(StatusCode::InvalidArgument, "x")).code(), ExitCode::BadUsage);
  EXPECT_EQ(CommandError(Status(StatusCode::Unsupported, "x")).code(), ExitCode::Unsupported);
  EXPECT_EQ(CommandError(Status(StatusCode::IoError, "x")).code(), ExitCode::SystemRefused);
  EXPECT_EQ(CommandError(Status(StatusCode::OutOfMemory, "x")).code(), ExitCode::SystemRefused);
  EXPECT_NO_THROW(check(Status()));
  EXPECT_THROW(check(Status(StatusCode::IoError, "x")), CommandError);
  EXPECT_EQ(take(engine::Result<int>(7)), 7);
  EXPECT_THROW((void)take(engine::Result<int>(Status(StatusCode::IoError, "x"))), CommandError);
}

}  // namespace
}  // namespace bitplane::cli
