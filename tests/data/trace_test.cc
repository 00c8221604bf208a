// SPDX-License-Identifier: Apache-2.0
#include "engine/data/trace.h"

#include <gtest/gtest.h>

#include <bit>
#include <limits>

#include "data/support.h"

namespace bitplane::engine::data {
namespace {

using testing::Bytes;
using testing::read_bytes;
using testing::TemporaryFolder;

Trace example() {
  Trace trace;
  trace.header = {.dataset = "synthetic", .classes = 3, .layers = {{"q1", 28, 28, 2}, {"q2", 14, 14, 5}}};
  for (std::uint32_t i = 0; i < 4; ++i) {
    TracePicture picture{
        .label = i % 3, .logits = {0.5F * static_cast<float>(i), -1.0F, 3.25F}, .digests = {}};
    for (std::uint32_t d = 0; d < 7; ++d) picture.digests.push_back(i * 1000 + d);
    trace.pictures.push_back(picture);
  }
  trace.pictures[1].logits[0] = -0.0F;
  trace.pictures[2].logits[1] = std::numeric_limits<float>::quiet_NaN();
  return trace;
}

void expect_equal(const Trace& a, const Trace& b) {
  EXPECT_EQ(a.header.dataset, b.header.dataset);
  EXPECT_EQ(a.header.classes, b.header.classes);
  ASSERT_EQ(a.header.layers.size(), b.header.layers.size());
  for (std::size_t i = 0; i < a.header.layers.size(); ++i) {
    EXPECT_EQ(a.header.layers[i].name, b.header.layers[i].name);
    EXPECT_EQ(a.header.layers[i].height, b.header.layers[i].height);
    EXPECT_EQ(a.header.layers[i].width, b.header.layers[i].width);
    EXPECT_EQ(a.header.layers[i].channels, b.header.layers[i].channels);
  }
  ASSERT_EQ(a.pictures.size(), b.pictures.size());
  for (std::size_t i = 0; i < a.pictures.size(); ++i) {
    EXPECT_EQ(a.pictures[i].label, b.pictures[i].label);
    EXPECT_EQ(a.pictures[i].digests, b.pictures[i].digests);
    ASSERT_EQ(a.pictures[i].logits.size(), b.pictures[i].logits.size());
    for (std::size_t c = 0; c < a.pictures[i].logits.size(); ++c) {
      EXPECT_EQ(std::bit_cast<std::uint32_t>(a.pictures[i].logits[c]),
                std::bit_cast<std::uint32_t>(b.pictures[i].logits[c]));
    }
  }
}

TEST(Trace, RoundTripKeepsEveryBit) {
  const TemporaryFolder folder;
  const std::string path = folder.file("t.trace");
  ASSERT_TRUE(write_trace(path, example()).ok());
  const auto again = read_trace(path);
  ASSERT_TRUE(again.ok()) << again.status().message();
  expect_equal(example(), again.value());
}

TEST(Trace, EmptyOnesAreFine) {
  const TemporaryFolder folder;
  const std::string path = folder.file("t.trace");
  const Trace empty{.header = {.dataset = "", .classes = 1, .layers = {}}, .pictures = {}};
  ASSERT_TRUE(write_trace(path, empty).ok());
  const auto again = read_trace(path);
  ASSERT_TRUE(again.ok()) << again.status().message();
  expect_equal(empty, again.value());
}

TEST(Trace, EveryCutAndEveryChangedByteIsNoticed) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_trace(folder.file("t"), example()).ok());
  const Bytes whole = read_bytes(folder.file("t"));
  for (std::size_t i = 0; i < whole.size(); ++i) {
    SCOPED_TRACE("byte " + std::to_string(i));
    const std::string cut =
        folder.write("cut", Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(i)));
    const auto shorter = read_trace(cut);
    ASSERT_FALSE(shorter.ok());
    EXPECT_NE(shorter.status().message().find(cut), std::string::npos) << shorter.status().message();
    for (const int bit : {0, 7}) {
      Bytes changed = whole;
      changed[i] = static_cast<std::uint8_t>(changed[i] ^ (1 << bit));
      ASSERT_FALSE(read_trace(folder.write("changed", changed)).ok());
    }
  }
  Bytes longer = whole;
  longer.push_back(0);
  EXPECT_FALSE(read_trace(folder.write("longer", longer)).ok());
}

TEST(Trace, ANewerVersionIsNamed) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_trace(folder.file("t"), example()).ok());
  Bytes bytes = read_bytes(folder.file("t"));
  bytes[8] = 2;
  const auto trace = read_trace(folder.write("newer", bytes));
  ASSERT_FALSE(trace.ok());
  EXPECT_EQ(trace.status().code(), StatusCode::Unsupported);
  EXPECT_NE(trace.status().message().find("version 2"), std::string::npos) << trace.status().message();
}

TEST(Trace, AnInconsistentTraceIsNotWritten) {
  const TemporaryFolder folder;
  Trace wrong_logits = example(), wrong_digests = example(), wrong_label = example(), wrong_layer = example();
  wrong_logits.pictures[1].logits.pop_back();
  wrong_digests.pictures[3].digests.push_back(0);
  wrong_label.pictures[0].label = 3;
  wrong_layer.header.layers[0].channels = 0;
  for (const Trace& trace : {wrong_logits, wrong_digests, wrong_label, wrong_layer}) {
    EXPECT_EQ(write_trace(folder.file("t"), trace).code(), StatusCode::InvalidArgument);
    EXPECT_FALSE(std::filesystem::exists(folder.file("t")));
  }
}

TEST(DigestCodes, IsFnv1aPerChannel) {
  // FNV-1a's published values: "" and "a".
  std::vector<std::uint32_t> digests(2, 7);
  digest_codes({}, 2, digests);
  EXPECT_EQ(digests, (std::vector<std::uint32_t>{0x811c9dc5, 0x811c9dc5}));
  const Bytes codes{'a', 'f', 'a', 'o', 'a', 'o'};  // channel 1 spells "foo"
  digest_codes(codes, 2, digests);
  EXPECT_EQ(digests[1], 0xa9f37ed7U);
  const Bytes one{'a'};
  digest_codes(one, 1, std::span(digests).first(1));
  EXPECT_EQ(digests[0], 0xe40c292cU);
}

}  // namespace
}  // namespace bitplane::engine::data
