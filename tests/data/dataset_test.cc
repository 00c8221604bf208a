// SPDX-License-Identifier: Apache-2.0
#include "engine/data/dataset.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <iostream>
#include <set>

namespace bitplane::engine::data {
namespace {

/// What every data set promises, for each entry of the list.
TEST(Datasets, KeepTheirPromises) {
  std::set<std::string_view> names;
  for (const DatasetInfo& info : datasets()) {
    SCOPED_TRACE(info.name);
    EXPECT_TRUE(names.insert(info.name).second) << "a name of its own";
    EXPECT_EQ(find_dataset(info.name), &info);
    EXPECT_FALSE(info.description.empty());
    EXPECT_FALSE(info.how_to_get.empty());
    if (info.of_any_folder()) {
      EXPECT_EQ(info.default_dir, "");
      const auto refused = load_dataset(info.name, "", Split::Test);
      ASSERT_FALSE(refused.ok());
      EXPECT_EQ(refused.status().code(), StatusCode::InvalidArgument);
      EXPECT_NE(refused.status().message().find("--data-dir"), std::string::npos);
      const auto missing = load_dataset(info.name, "/no/such/folder", Split::Test);
      EXPECT_EQ(missing.status().code(), StatusCode::NotFound) << missing.status().message();
      continue;
    }
    if (!info.default_dir.empty() && !std::filesystem::exists(info.default_dir)) {
      std::cout << "[ not here ] " << info.name << ": " << info.how_to_get << '\n';
      continue;
    }
    const auto set = load_dataset(info.name, "", Split::Test);
    ASSERT_TRUE(set.ok()) << set.status().message();
    EXPECT_GT(set->count, 0U);
    EXPECT_EQ(set->height, info.height);
    EXPECT_EQ(set->width, info.width);
    EXPECT_EQ(set->channels, info.channels);
    EXPECT_EQ(set->class_names.size(), info.classes);
    EXPECT_EQ(set->pixels.size(), set->count * set->picture_size());
    ASSERT_EQ(set->labels.size(), set->count);
    std::set<std::uint16_t> seen(set->labels.begin(), set->labels.end());
    EXPECT_EQ(seen.size(), info.classes) << "every class occurs";
    EXPECT_LT(*seen.rbegin(), info.classes);
    EXPECT_EQ(set->digest.size(), 64U);
    EXPECT_EQ(set->picture(1).data(), set->pixels.data() + set->picture_size());
  }
}

TEST(Datasets, UnknownNamesGetTheNearestOne) {
  const auto set = load_dataset("fashoin-mnist", "", Split::Test);
  ASSERT_FALSE(set.ok());
  EXPECT_EQ(set.status().code(), StatusCode::InvalidArgument);
  EXPECT_NE(set.status().message().find("did you mean 'fashion-mnist'?"), std::string::npos)
      << set.status().message();
  EXPECT_EQ(find_dataset(""), nullptr);
}

TEST(Datasets, EveryPartOfASetChangesItsDigest) {
  const PictureSet set{.count = 2,
                       .height = 1,
                       .width = 2,
                       .channels = 1,
                       .pixels = {1, 2, 3, 4},
                       .labels = {0, 1},
                       .class_names = {"a", "b"}};
  std::set<std::string> digests{digest_of(set)};
  EXPECT_EQ(digest_of(set), *digests.begin());
  const auto changed = [&](const std::function<void(PictureSet&)>& change) {
    PictureSet other = set;
    change(other);
    EXPECT_TRUE(digests.insert(digest_of(other)).second);
  };
  changed([](PictureSet& other) { other.pixels[3] = 5; });
  changed([](PictureSet& other) { other.labels[0] = 1; });
  changed([](PictureSet& other) { other.class_names[1] = "c"; });
  changed([](PictureSet& other) { std::swap(other.height, other.width); });
}

TEST(Datasets, SplitsHaveNames) {
  EXPECT_EQ(split_name(Split::Train), "train");
  EXPECT_EQ(split_name(Split::Test), "test");
}

}  // namespace
}  // namespace bitplane::engine::data
