// SPDX-License-Identifier: Apache-2.0
#include "engine/data/gzip.h"

#include <gtest/gtest.h>

#include "data/support.h"

namespace bitplane::engine::data {
namespace {

using testing::Bytes;

TEST(Gzip, ReturnsTheContentOfAnySize) {
  for (const std::size_t size : {0, 1, 65535, 65536, 65537, 200003}) {
    SCOPED_TRACE(size);
    Bytes content(size);
    for (std::size_t i = 0; i < size; ++i) content[i] = static_cast<std::uint8_t>(i * i >> 3);
    const auto got = gunzip("file", testing::gzip(content), size);
    ASSERT_TRUE(got.ok()) << got.status().message();
    EXPECT_EQ(got.value(), content);
  }
}

TEST(Gzip, MoreContentThanAllowedIsAnError) {
  const Bytes zipped = testing::gzip(Bytes(std::size_t{1} << 20));
  const auto got = gunzip("bomb", zipped, (std::size_t{1} << 20) - 1);
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(got.status().code(), StatusCode::InvalidFile);
  EXPECT_NE(got.status().message().find("bomb: "), std::string::npos);
}

TEST(Gzip, KnowsItsMagic) {
  EXPECT_FALSE(is_gzip({}));
  EXPECT_FALSE(is_gzip(Bytes{0x1f}));
  EXPECT_FALSE(is_gzip(Bytes{0x1f, 0x8c}));
  EXPECT_TRUE(is_gzip(testing::gzip({})));
}

}  // namespace
}  // namespace bitplane::engine::data
