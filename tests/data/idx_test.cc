// SPDX-License-Identifier: Apache-2.0
#include "engine/data/idx.h"

#include <gtest/gtest.h>

#include <numeric>

#include "data/support.h"

namespace bitplane::engine::data {
namespace {

using testing::Bytes;
using testing::gzip;
using testing::make_idx;
using testing::TemporaryFolder;

constexpr std::uint32_t kPictureMagic = 0x803, kLabelMagic = 0x801;

Bytes counting(std::size_t count) {
  Bytes bytes(count);
  std::iota(bytes.begin(), bytes.end(), std::uint8_t{0});
  return bytes;
}

Bytes good_pictures() {
  return make_idx(kPictureMagic, {3, 2, 4}, counting(24));
}

void expect_error(const Status& status, StatusCode code, const std::string& path, const std::string& part) {
  EXPECT_EQ(status.code(), code) << status.message();
  EXPECT_NE(status.message().find(path), std::string::npos) << "names the file: " << status.message();
  EXPECT_NE(status.message().find(part), std::string::npos) << "says '" << part << "': " << status.message();
  EXPECT_NE(status.message().find(';'), std::string::npos) << "says what to do: " << status.message();
  EXPECT_EQ(status.message().find('\n'), std::string::npos) << "one line: " << status.message();
}

TEST(Idx, ReadsPlainAndGzippedAlike) {
  const TemporaryFolder folder;
  for (const std::string& path :
       {folder.write("plain", good_pictures()), folder.write("zipped.gz", gzip(good_pictures())),
        folder.write("zipped-without-the-suffix", gzip(good_pictures()))}) {
    SCOPED_TRACE(path);
    const auto pictures = read_idx_pictures(path);
    ASSERT_TRUE(pictures.ok()) << pictures.status().message();
    EXPECT_EQ(pictures->count, 3U);
    EXPECT_EQ(pictures->height, 2U);
    EXPECT_EQ(pictures->width, 4U);
    EXPECT_EQ(pictures->pixels, counting(24));
  }
}

TEST(Idx, ReadsLabels) {
  const TemporaryFolder folder;
  const auto labels = read_idx_labels(folder.write("l", make_idx(kLabelMagic, {4}, {0, 9, 3, 9})), 10);
  ASSERT_TRUE(labels.ok()) << labels.status().message();
  EXPECT_EQ(labels.value(), (Bytes{0, 9, 3, 9}));
}

TEST(Idx, EveryTruncationIsAnError) {
  const TemporaryFolder folder;
  for (const Bytes& whole : {good_pictures(), gzip(good_pictures())}) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      SCOPED_TRACE("first " + std::to_string(size) + " of " + std::to_string(whole.size()) + " bytes");
      const std::string path =
          folder.write("cut", Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
      const auto pictures = read_idx_pictures(path);
      ASSERT_FALSE(pictures.ok());
      expect_error(pictures.status(), StatusCode::InvalidFile, path, "found");
    }
  }
}

TEST(Idx, EveryChangedByteOfAGzipIsNoticedOrHarmless) {
  const TemporaryFolder folder;
  const Bytes whole = gzip(good_pictures());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    SCOPED_TRACE("byte " + std::to_string(i));
    Bytes changed = whole;
    changed[i] ^= 0xff;
    const auto pictures = read_idx_pictures(folder.write("changed", changed));
    if (!pictures.ok()) continue;
    EXPECT_EQ(pictures->pixels, counting(24)) << "only the header's time and system name may change";
  }
}

TEST(Idx, BytesAfterTheEndAreAnError) {
  const TemporaryFolder folder;
  Bytes longer = good_pictures();
  longer.push_back(0);
  Bytes zipped = gzip(good_pictures());
  zipped.push_back(0);
  for (const Bytes& bytes : {longer, gzip(longer), zipped}) {
    const std::string path = folder.write("long", bytes);
    const auto pictures = read_idx_pictures(path);
    ASSERT_FALSE(pictures.ok());
    expect_error(pictures.status(), StatusCode::InvalidFile, path, "found");
  }
}

TEST(Idx, WrongMagicSaysWhatItIs) {
  const TemporaryFolder folder;
  const std::string labels = folder.write("labels", make_idx(kLabelMagic, {24}, Bytes(24)));
  expect_error(read_idx_pictures(labels).status(), StatusCode::InvalidFile, labels, "IDX labels");
  const std::string pictures = folder.write("pictures", good_pictures());
  expect_error(read_idx_labels(pictures, 10).status(), StatusCode::InvalidFile, pictures, "IDX pictures");
  const std::string floats = folder.write("floats", make_idx(0xd03, {1, 1, 1}, Bytes(4)));
  expect_error(read_idx_pictures(floats).status(), StatusCode::InvalidFile, floats, "0x00000d03");
}

TEST(Idx, HugeAndEmptyDimensionsAreRefusedWithoutAllocating) {
  const TemporaryFolder folder;
  const std::vector<std::vector<std::uint32_t>> bad_dimensions{{0xffffffff, 0xffffffff, 0xffffffff},
                                                               {0xffffffff, 28, 28},
                                                               {1, 0x10000, 0x10000},
                                                               {0, 28, 28},
                                                               {1, 0, 28},
                                                               {0x80000000, 2, 1},
                                                               {3, 2, 5}};
  for (const auto& dimensions : bad_dimensions) {
    const std::string path = folder.write("bad", make_idx(kPictureMagic, dimensions, counting(24)));
    const auto pictures = read_idx_pictures(path);
    ASSERT_FALSE(pictures.ok());
    expect_error(pictures.status(), StatusCode::InvalidFile, path, "found");
  }
}

TEST(Idx, LabelsOutOfRangeNameThePicture) {
  const TemporaryFolder folder;
  const std::string path = folder.write("l", make_idx(kLabelMagic, {3}, {0, 9, 10}));
  expect_error(read_idx_labels(path, 10).status(), StatusCode::InvalidFile, path, "label 10 at picture 2");
}

TEST(Idx, MissingFilesAndFolders) {
  const TemporaryFolder folder;
  const std::string missing = folder.file("missing");
  expect_error(read_idx_pictures(missing).status(), StatusCode::NotFound, missing, "No such file");
  expect_error(read_idx_labels(folder.path(), 10).status(), StatusCode::InvalidArgument, folder.path(),
               "folder");
}

TEST(Idx, AGzipFileOfSomethingElseHasNoMagic) {
  const TemporaryFolder folder;
  const std::string path = folder.write("zeros.gz", gzip(Bytes(1000, 0)));
  expect_error(read_idx_pictures(path).status(), StatusCode::InvalidFile, path, "magic");
}

}  // namespace
}  // namespace bitplane::engine::data
