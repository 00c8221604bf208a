// SPDX-License-Identifier: Apache-2.0
#include "engine/data/class_folder.h"

#include <gtest/gtest.h>

#include "data/support.h"

namespace bitplane::engine::data {
namespace {

using testing::TemporaryFolder;

Picture flat(std::size_t height, std::size_t width, std::vector<std::uint8_t> colour) {
  Picture picture{height, width, colour.size(), {}};
  for (std::size_t p = 0; p < height * width; ++p)
    picture.pixels.insert(picture.pixels.end(), colour.begin(), colour.end());
  return picture;
}

/// DIR/<split>/<class>/<name>
class ClassFolders {
 public:
  void add(const std::string& path, const Picture& picture) const {
    make(path);
    ASSERT_TRUE(write_png(folder_.file(path), picture).ok());
  }
  void add_bytes(const std::string& path, const testing::Bytes& bytes) const {
    make(path);
    folder_.write(path, bytes);
  }
  void make(const std::string& path) const {
    std::filesystem::create_directories(std::filesystem::path(folder_.file(path)).parent_path());
  }
  [[nodiscard]] std::string path() const { return folder_.path(); }

 private:
  TemporaryFolder folder_;
};

/// Two classes with colour pictures of 2x3; names chosen so that sorting matters.
ClassFolders& fill(ClassFolders& folders) {
  for (const char* split : {"train", "val"}) {
    const std::string root = std::string(split) + "/";
    folders.add(root + "zebra/b.png", flat(2, 3, {3, 30, 33}));
    folders.add(root + "zebra/B.png", flat(2, 3, {2, 20, 22}));
    folders.add(root + "ant/10.png", flat(2, 3, {0, 1, 0}));
    folders.add(root + "ant/9.PNG", flat(2, 3, {1, 10, 11}));
  }
  return folders;
}

void expect_refused(const Result<PictureSet>& set, StatusCode code,
                    std::initializer_list<const char*> parts) {
  ASSERT_FALSE(set.ok());
  EXPECT_EQ(set.status().code(), code) << set.status().message();
  for (const char* part : parts)
    EXPECT_NE(set.status().message().find(part), std::string::npos) << part << ": " << set.status().message();
}

TEST(ClassFolder, SortsClassesAndFilesByName) {
  ClassFolders folders;
  const auto set = load_folder(fill(folders).path(), Split::Train);
  ASSERT_TRUE(set.ok()) << set.status().message();
  EXPECT_EQ(set->class_names, (std::vector<std::string>{"ant", "zebra"}));
  EXPECT_EQ(set->labels, (std::vector<std::uint16_t>{0, 0, 1, 1}));
  EXPECT_EQ(set->height, 2U);
  EXPECT_EQ(set->width, 3U);
  EXPECT_EQ(set->channels, 3U);
  EXPECT_FALSE(set->streamed());
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(set->picture(i)[0], i);
  const auto test = load_folder(folders.path(), Split::Test);
  ASSERT_TRUE(test.ok()) << "val stands in for test: " << test.status().message();
  EXPECT_EQ(test->pixels, set->pixels);
}

TEST(ClassFolder, IsGreyWhenEveryPictureIs) {
  ClassFolders folders;
  folders.add("train/a/1.png", flat(1, 2, {7}));
  folders.add("train/b/1.png", flat(1, 2, {8}));
  EXPECT_EQ(load_folder(folders.path(), Split::Train)->pixels, (testing::Bytes{7, 7, 8, 8}));
  folders.add("train/b/2.png", flat(1, 2, {8, 9, 10}));
  EXPECT_EQ(load_folder(folders.path(), Split::Train)->channels, 3U);
}

TEST(ClassFolder, RefusesWhatDoesNotFit) {
  {
    ClassFolders folders;
    fill(folders).add("train/zebra/c.png", flat(3, 2, {1, 2, 3}));
    expect_refused(load_folder(folders.path(), Split::Train), StatusCode::InvalidFile,
                   {"zebra/c.png", "3x2", "2x3", "folder-224"});
  }
  {
    ClassFolders folders;
    fill(folders).make("train/empty/x");
    expect_refused(load_folder(folders.path(), Split::Train), StatusCode::InvalidFile,
                   {"train/empty", "no pictures"});
    expect_refused(load_folder(folders.path(), Split::Test), StatusCode::InvalidFile,
                   {"class 'empty'", "not in"});
  }
  {
    ClassFolders folders;
    fill(folders).add("val/bear/1.png", flat(2, 3, {1, 2, 3}));
    expect_refused(load_folder(folders.path(), Split::Test), StatusCode::InvalidFile, {"class 'bear'"});
  }
  {
    ClassFolders folders;
    fill(folders).add_bytes("train/ant/broken.jpg", {1, 2, 3});
    expect_refused(load_folder(folders.path(), Split::Train), StatusCode::InvalidFile, {"ant/broken.jpg"});
  }
  {
    ClassFolders folders;
    fill(folders).add_bytes("train/ant/notes.txt", {1, 2, 3});
    expect_refused(load_folder(folders.path(), Split::Train), StatusCode::InvalidFile, {"notes.txt"});
  }
  {
    ClassFolders folders;
    fill(folders).add_bytes("train/list.txt", {1});
    expect_refused(load_folder(folders.path(), Split::Train), StatusCode::InvalidFile, {"list.txt"});
  }
  ClassFolders nothing;
  expect_refused(load_folder(nothing.path(), Split::Train), StatusCode::NotFound,
                 {"train", "DIR/train/CLASS"});
}

TEST(Folder224, StaysOnDiskAndItsDigestKnowsNames) {
  ClassFolders folders;
  const auto set = list_folder_224(fill(folders).path(), Split::Train);
  ASSERT_TRUE(set.ok()) << set.status().message();
  EXPECT_TRUE(set->streamed());
  EXPECT_EQ(set->count, 4U);
  EXPECT_EQ(set->files.size(), 4U);
  EXPECT_TRUE(set->pixels.empty());
  EXPECT_EQ(set->picture_size(), 224U * 224U * 3U);
  EXPECT_EQ(set->digest, list_folder_224(folders.path(), Split::Test)->digest) << "the same files";
  folders.add_bytes("train/zebra/c.jpg", {1, 2, 3});
  const std::string more = list_folder_224(folders.path(), Split::Train)->digest;
  EXPECT_NE(more, set->digest);
  folders.add_bytes("train/zebra/c.jpg", {1, 2, 3, 4});
  EXPECT_EQ(list_folder_224(folders.path(), Split::Train)->digest, more) << "a damaged picture was mended";
}

TEST(Folder224, CutsTheMiddleForInference) {
  ClassFolders folders;
  // The shorter side is scaled to 256 and the middle 224 is cut: of 512 rows and 1024 columns, rows 32 to 480
  // and columns 288 to 736. What lies outside is black and must not be seen.
  Picture picture = flat(512, 1024, {0, 0, 0});
  for (std::size_t y = 32; y < 480; ++y)
    for (std::size_t x = 288; x < 736; ++x) picture.pixels[(y * 1024 + x) * 3 + 1] = 200;
  folders.add("test/a/1.png", picture);
  folders.add("test/b/1.png", flat(5, 4, {1, 2, 3}));
  folders.add_bytes("test/b/broken.jpg", {9});
  const auto set = list_folder_224(folders.path(), Split::Test);
  ASSERT_TRUE(set.ok()) << set.status().message();
  std::vector<std::uint8_t> buffer;
  const auto cut = inference_picture(set.value(), 0, buffer);
  ASSERT_TRUE(cut.ok());
  ASSERT_EQ(cut->size(), set->picture_size());
  for (std::size_t y = 1; y < 223; ++y) {  // the outermost pixels take from their neighbours as well
    for (std::size_t x = 1; x < 223; ++x) {
      ASSERT_EQ(cut.value()[(y * 224 + x) * 3], 0);
      ASSERT_EQ(cut.value()[(y * 224 + x) * 3 + 1], 200);
    }
  }
  const auto small = inference_picture(set.value(), 1, buffer);
  ASSERT_TRUE(small.ok());
  EXPECT_EQ(small.value()[224 * 3 * 100 + 5], 3);
  const auto broken = inference_picture(set.value(), 2, buffer);
  ASSERT_FALSE(broken.ok());
  EXPECT_NE(broken.status().message().find("broken.jpg"), std::string::npos);
}

}  // namespace
}  // namespace bitplane::engine::data
