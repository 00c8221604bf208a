// SPDX-License-Identifier: Apache-2.0
#include "bitplane/status.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>

namespace bitplane::engine {
namespace {

TEST(Status, DefaultIsOkWithoutMessage) {
  const Status status;
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status.code(), StatusCode::Ok);
  EXPECT_TRUE(status.message().empty());
}

TEST(Status, EveryCodeHasItsOwnName) {
  const std::set<std::string_view> names = {status_code_name(StatusCode::Ok),
                                            status_code_name(StatusCode::NotFound),
                                            status_code_name(StatusCode::InvalidArgument),
                                            status_code_name(StatusCode::InvalidFile),
                                            status_code_name(StatusCode::Unsupported),
                                            status_code_name(StatusCode::OutOfMemory),
                                            status_code_name(StatusCode::IoError)};
  EXPECT_EQ(names.size(), 7U);
  EXPECT_EQ(names.count("unknown"), 0U);
}

TEST(Status, ResultHoldsMoveOnlyValuesOrTheReason) {
  Result<std::unique_ptr<int>> value(std::make_unique<int>(7));
  ASSERT_TRUE(value.ok());
  EXPECT_TRUE(value.status().ok());
  const std::unique_ptr<int> taken = std::move(value).value();
  EXPECT_EQ(*taken, 7);

  const Result<std::unique_ptr<int>> none(Status(StatusCode::NotFound, "no such thing"));
  EXPECT_FALSE(none.ok());
  EXPECT_EQ(none.status().code(), StatusCode::NotFound);
  EXPECT_EQ(none.status().message(), "no such thing");
}

}  // namespace
}  // namespace bitplane::engine
