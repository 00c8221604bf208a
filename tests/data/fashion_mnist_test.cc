// SPDX-License-Identifier: Apache-2.0
#include "engine/data/fashion_mnist.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "data/support.h"

namespace bitplane::engine::data {
namespace {

using testing::Bytes;
using testing::gzip;
using testing::make_idx;
using testing::TemporaryFolder;

constexpr std::size_t kSize = 28 * 28;

Bytes pictures_of(std::uint32_t count) {
  return make_idx(0x803, {count, 28, 28}, Bytes(count * kSize, 7));
}

TEST(FashionMnist, ReadsPlainAndZippedFilesSideBySide) {
  const TemporaryFolder folder;
  folder.write("t10k-images-idx3-ubyte.gz", gzip(pictures_of(3)));
  folder.write("t10k-labels-idx1-ubyte", make_idx(0x801, {3}, {9, 0, 4}));
  const auto set = load_fashion_mnist(folder.path(), Split::Test);
  ASSERT_TRUE(set.ok()) << set.status().message();
  EXPECT_EQ(set->count, 3U);
  EXPECT_EQ(set->picture_size(), kSize);
  EXPECT_EQ(set->labels, (std::vector<std::uint16_t>{9, 0, 4}));
  EXPECT_EQ(set->class_names.size(), 10U);
  EXPECT_EQ(set->class_names[9], "Ankle boot");
}

TEST(FashionMnist, MissingFilesSayHowToGetThem) {
  const TemporaryFolder folder;
  const auto set = load_fashion_mnist(folder.path(), Split::Train);
  ASSERT_FALSE(set.ok());
  EXPECT_EQ(set.status().code(), StatusCode::NotFound);
  for (const char* part :
       {"train-images-idx3-ubyte", "dataset-fashion-mnist", "--data synthetic", "--data-dir"}) {
    EXPECT_NE(set.status().message().find(part), std::string::npos) << part << ": " << set.status().message();
  }
}

TEST(FashionMnist, CountsMustAgree) {
  const TemporaryFolder folder;
  folder.write("t10k-images-idx3-ubyte", pictures_of(3));
  folder.write("t10k-labels-idx1-ubyte", make_idx(0x801, {2}, {9, 0}));
  const auto set = load_fashion_mnist(folder.path(), Split::Test);
  ASSERT_FALSE(set.ok());
  EXPECT_EQ(set.status().code(), StatusCode::InvalidFile);
  EXPECT_NE(set.status().message().find("found 2 labels, expected 3"), std::string::npos)
      << set.status().message();
}

TEST(FashionMnist, AnotherPictureSizeIsRefused) {
  const TemporaryFolder folder;
  folder.write("t10k-images-idx3-ubyte", make_idx(0x803, {1, 32, 32}, Bytes(1024)));
  folder.write("t10k-labels-idx1-ubyte", make_idx(0x801, {1}, {9}));
  const auto set = load_fashion_mnist(folder.path(), Split::Test);
  ASSERT_FALSE(set.ok());
  EXPECT_NE(set.status().message().find("32x32, expected 28x28"), std::string::npos)
      << set.status().message();
}

/// The installed set, where it is: known facts of it.
TEST(FashionMnist, TheRealFiles) {
  const DatasetInfo* info = find_dataset("fashion-mnist");
  ASSERT_NE(info, nullptr);
  if (!std::filesystem::exists(info->default_dir)) GTEST_SKIP() << info->how_to_get;
  const auto set = load_dataset("fashion-mnist", "", Split::Test);
  ASSERT_TRUE(set.ok()) << set.status().message();
  EXPECT_EQ(set->count, 10000U);
  for (std::uint16_t label = 0; label < 10; ++label) {
    EXPECT_EQ(std::count(set->labels.begin(), set->labels.end(), label), 1000) << label;
  }
  EXPECT_EQ((std::vector(set->labels.begin(), set->labels.begin() + 5)),
            (std::vector<std::uint16_t>{9, 2, 1, 1, 6}));
}

}  // namespace
}  // namespace bitplane::engine::data
