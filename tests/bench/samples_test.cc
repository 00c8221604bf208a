// SPDX-License-Identifier: Apache-2.0
#include "samples.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "layers.h"

namespace bitplane::bench {
namespace {

TEST(Samples, AreSpreadOverAllThatThereIs) {
  for (const std::size_t size : {1U, 2U, 6U, 40U, 41U, 42U, 126U, 1000U, 200704U}) {
    const std::vector<std::size_t> at = samples(size);
    EXPECT_TRUE(std::ranges::is_sorted(at)) << size;
    EXPECT_EQ(at.front(), 0U);
    EXPECT_EQ(at.back(), size - 1);
    EXPECT_GE(at.size(), std::min<std::size_t>(size, 41)) << size;
    EXPECT_LE(at.size(), 130U) << size;
  }
}

// An answer with one wrong channel must not pass because nobody looked there.
TEST(Samples, MeetAsManyChannelsAsThereAreSamples) {
  const auto expect_channels = [](const kernels::ConvShape& shape, const std::string& name) {
    const std::vector<std::size_t> at = samples(shape.out_pixels() * shape.out_channels);
    std::set<std::size_t> channels;
    for (const std::size_t i : at) channels.insert(i % shape.out_channels);
    EXPECT_GE(channels.size(), std::min(shape.out_channels, at.size() - 1)) << name;
  };
  for (const GemmShape& gemm : kGemmShapes) expect_channels(gemm.shape(), std::string(gemm.name));
  for (const ConvLayer& layer : kConvLayers) expect_channels(layer.shape(), layer_name(layer));
}

}  // namespace
}  // namespace bitplane::bench
