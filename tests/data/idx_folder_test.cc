// SPDX-License-Identifier: Apache-2.0
#include "engine/data/idx_folder.h"

#include <gtest/gtest.h>

#include "data/support.h"

namespace bitplane::engine::data {
namespace {

using testing::Bytes;
using testing::gzip;
using testing::make_idx;
using testing::TemporaryFolder;

TEST(IdxFolder, TakesAnySizeAndTheClassesOfTheTrainingLabels) {
  const TemporaryFolder folder;
  folder.write("train-labels-idx1-ubyte.gz", gzip(make_idx(0x801, {3}, {2, 0, 6})));
  folder.write("t10k-labels-idx1-ubyte", make_idx(0x801, {2}, {1, 5}));
  folder.write("t10k-images-idx3-ubyte", make_idx(0x803, {2, 1, 3}, {1, 2, 3, 4, 5, 6}));
  const auto set = load_idx_folder(folder.path(), Split::Test);
  ASSERT_TRUE(set.ok()) << set.status().message();
  EXPECT_EQ(set->count, 2U);
  EXPECT_EQ(set->height, 1U);
  EXPECT_EQ(set->width, 3U);
  EXPECT_EQ(set->channels, 1U);
  EXPECT_EQ(set->pixels, (Bytes{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(set->labels, (std::vector<std::uint16_t>{1, 5}));
  EXPECT_EQ(set->class_names, (std::vector<std::string>{"0", "1", "2", "3", "4", "5", "6"}));
}

TEST(IdxFolder, ATestLabelAboveTheTrainingClassesIsRefused) {
  const TemporaryFolder folder;
  folder.write("train-labels-idx1-ubyte", make_idx(0x801, {2}, {0, 1}));
  folder.write("t10k-labels-idx1-ubyte", make_idx(0x801, {1}, {2}));
  folder.write("t10k-images-idx3-ubyte", make_idx(0x803, {1, 1, 1}, {1}));
  const auto set = load_idx_folder(folder.path(), Split::Test);
  ASSERT_FALSE(set.ok());
  EXPECT_NE(set.status().message().find("label 2 at picture 0"), std::string::npos) << set.status().message();
}

TEST(IdxFolder, MissingFilesAreNamed) {
  const TemporaryFolder folder;
  const auto set = load_idx_folder(folder.path(), Split::Train);
  ASSERT_FALSE(set.ok());
  EXPECT_EQ(set.status().code(), StatusCode::NotFound);
  EXPECT_NE(set.status().message().find("labels-idx1-ubyte"), std::string::npos) << set.status().message();
}

}  // namespace
}  // namespace bitplane::engine::data
