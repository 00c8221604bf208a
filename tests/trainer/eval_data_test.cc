// SPDX-License-Identifier: Apache-2.0
//
// What `trainer eval` may be given beside the data that the run was trained on.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "engine/data/picture.h"
#include "trainer/trainer_command.h"

namespace bitplane::train {
namespace {

using testing::Arguments;
using testing::expect_refusal;
using testing::Finished;
using testing::TemporaryFolder;

struct ClassFolder {
  std::size_t height, width;
  std::string first, second;  ///< classes
};

void write_folder(const std::string& path, const ClassFolder& of) {
  for (const char* split : {"train", "test"}) {
    for (const std::string& name : {of.first, of.second}) {
      const std::string folder = path + "/" + split + "/" + name;
      std::filesystem::create_directories(folder);
      for (std::size_t i = 0; i < 4; ++i) {
        engine::data::Picture picture{of.height, of.width, 1, {}};
        picture.pixels.assign(of.height * of.width,
                              static_cast<std::uint8_t>(40 * i + (name == of.first ? 90 : 0)));
        ASSERT_TRUE(engine::data::write_png(folder + "/" + std::to_string(i) + ".png", picture).ok());
      }
    }
  }
}

class EvalData : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(write_folder(folder_ / "own", {12, 16, "cat", "dog"}));
    const Finished trained = testing::run(
        folder_, {"train", "--data", "folder", "--data-dir", folder_ / "own", "--net", "cnn-small", "--width",
                  "0.25", "--method", "float", "--epochs", "1", "--batch", "4", "--out", folder_ / "run"});
    ASSERT_EQ(trained.code, 0) << trained.err;
  }
  [[nodiscard]] Arguments eval(const std::string& data) const {
    return {"eval", folder_ / "run", "--data-dir", folder_ / data};
  }
  TemporaryFolder folder_;
};

TEST_F(EvalData, OtherClassesInAFolderAreRefusedUnlessAskedFor) {
  ASSERT_NO_FATAL_FAILURE(write_folder(folder_ / "other", {12, 16, "apple", "pear"}));
  EXPECT_EQ(testing::run(folder_, eval("own")).code, 0);
  expect_refusal(testing::run(folder_, eval("other")), 2, "whose classes are not those of this folder");
  Arguments asked = eval("other");
  asked.emplace_back("--other-data");
  EXPECT_EQ(testing::run(folder_, asked).code, 0);
}

TEST_F(EvalData, PicturesOfAsManyPixelsInOtherRowsAreRefused) {
  ASSERT_NO_FATAL_FAILURE(write_folder(folder_ / "turned", {16, 12, "cat", "dog"}));
  for (const char* more : {"", "--other-data"}) {
    Arguments arguments = eval("turned");
    if (*more != 0) arguments.emplace_back(more);
    expect_refusal(testing::run(folder_, arguments), 2,
                   "the pictures are 16x12x1, the run was trained on 12x16x1");
  }
}

TEST_F(EvalData, APathOfWeightsToStartFromIsKeptWhole) {
  ASSERT_EQ(
      testing::run(folder_, {"export", folder_ / "run", "--torch-names", folder_ / "w.safetensors"}).code, 0);
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(folder_ / "");
  const Finished trained =
      testing::run(folder_, {"train", "--data", "folder", "--data-dir", folder_ / "own", "--net", "cnn-small",
                             "--width", "0.25", "--method", "float", "--epochs", "1", "--batch", "4",
                             "--init-from", "w.safetensors", "--out", folder_ / "again"});
  std::filesystem::current_path(before);
  ASSERT_EQ(trained.code, 0) << trained.err;
  const std::string config = read_file_text(folder_ / "again/config.json");
  EXPECT_NE(config.find("\"init_from\": \"" + std::filesystem::canonical(folder_ / "w.safetensors").string()),
            std::string::npos)
      << config;
}

}  // namespace
}  // namespace bitplane::train
