// SPDX-License-Identifier: Apache-2.0
#include "engine/data/nearest_name.h"

#include <gtest/gtest.h>

#include <array>

namespace bitplane::engine::data {
namespace {

TEST(EditDistance, KnownValues) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("abc", ""), 3U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(edit_distance("lq-nets", "lq-nets"), 0U);
  EXPECT_EQ(edit_distance("ab", "ba"), 1U) << "a swap of neighbours counts one";
  EXPECT_EQ(edit_distance("ca", "abc"), 3U) << "no edits inside a swap";
}

TEST(NearestName, FindsWhatWasMeant) {
  constexpr std::array<std::string_view, 4> kKnown{"lq-nets", "float", "--threads", "--data-dir"};
  EXPECT_EQ(nearest_name("lq-net", kKnown), "lq-nets");
  EXPECT_EQ(nearest_name("lqnets", kKnown), "lq-nets");
  EXPECT_EQ(nearest_name("flaot", kKnown), "float");
  EXPECT_EQ(nearest_name("--thread", kKnown), "--threads");
  EXPECT_EQ(nearest_name("--datadir", kKnown), "--data-dir");
  EXPECT_EQ(nearest_name("resnet", kKnown), std::nullopt) << "nothing is near";
  EXPECT_EQ(nearest_name("", kKnown), std::nullopt);
  EXPECT_EQ(nearest_name("x", {}), std::nullopt);
}

TEST(NearestName, TheMessageListsAllNames) {
  constexpr std::array<std::string_view, 2> kKnown{"mnist", "cifar"};
  EXPECT_EQ(unknown_name_message("data set", "mnst", kKnown),
            "unknown data set 'mnst'; did you mean 'mnist'? Known: mnist, cifar");
  EXPECT_EQ(unknown_name_message("data set", "svhn!", kKnown),
            "unknown data set 'svhn!'; known: mnist, cifar");
}

}  // namespace
}  // namespace bitplane::engine::data
