// SPDX-License-Identifier: Apache-2.0
//
// What is written never replaces what is read.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "bitplane/model_spec.h"
#include "cli/command.h"
#include "cli/small_model.h"
#include "engine/data/picture.h"

namespace bitplane::testing {
namespace {

class Outputs : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(engine::write_model(model_, small_spec()).ok()); }

  [[nodiscard]] std::vector<std::string> dump(const std::string& out) const {
    return {"dump", model_, "--data", "synthetic", "--count", "1", "--out", out};
  }
  [[nodiscard]] std::vector<std::string> onnx(const std::string& out) const {
    return {"export", "--onnx", model_, "--out", out};
  }

  TemporaryFolder folder_;
  std::string model_ = folder_.file("m.safetensors");
};

TEST_F(Outputs, TheModelThatIsReadIsKept) {
  const Bytes before = read_bytes(model_);
  std::filesystem::create_symlink(model_, folder_.file("link"));
  for (const std::string& out : {model_, folder_.file("./m.safetensors"), folder_.file("link")}) {
    expect_refusal(run_command(dump(out)), 2, {"--out " + out, "which this command reads"});
    expect_refusal(run_command(onnx(out)), 2, {"--out " + out, "which this command reads"});
  }
  EXPECT_EQ(read_bytes(model_), before);
}

TEST_F(Outputs, ARunsFilesAreKept) {
  for (const char* name : {"config.json", "checkpoint-last.safetensors", "log.txt"})
    folder_.write(name, {'x'});
  for (const char* name : {"config.json", "checkpoint-last.safetensors", "log.txt", "result.json"}) {
    expect_refusal(run_command(dump(folder_.file(name))), 2, {"a file of the run in"});
    expect_refusal(run_command(onnx(folder_.file(name))), 2, {"a file of the run in"});
  }
  EXPECT_EQ(read_bytes(folder_.file("log.txt")), Bytes{'x'});
  std::filesystem::remove(folder_.file("checkpoint-last.safetensors"));
  expect_refusal(run_command(dump(folder_.file("config.json"))), 2, {"a file of the run in"});
  expect_success(run_command(dump(folder_.file("model.safetensors"))));
}

/// A folder of pictures by class, one of them of the name that `pictures` would give it.
TEST_F(Outputs, ADataSetsPicturesAreKept) {
  const std::string data = folder_.file("data");
  const engine::data::Picture pixels{224, 224, 3, Bytes(224 * 224 * 3, 7)};
  for (const char* split : {"train", "val"}) {
    for (const char* name : {"a", "b"}) {
      const std::string folder = data + "/" + split + "/" + name;
      std::filesystem::create_directories(folder);
      ASSERT_TRUE(engine::data::write_png(folder + "/0-a.PNG", pixels).ok());
    }
  }
  const std::string picture = data + "/val/a/0-a.PNG";
  const Bytes before = read_bytes(picture);
  std::filesystem::create_symlink(picture, folder_.file("0-a.png"));
  const std::vector<std::string> pictures{"pictures", "--data",  "folder-224", "--data-dir",
                                          data,       "--count", "1",          "--out"};
  const auto into = [&](const std::string& out) {
    std::vector<std::string> command = pictures;
    command.push_back(out);
    return command;
  };
  expect_refusal(run_command(into(folder_.path())), 2, {"0-a.png", "a file of the data set"});
  EXPECT_EQ(read_bytes(picture), before);
  expect_success(run_command(into(folder_.file("elsewhere"))));
  EXPECT_TRUE(std::filesystem::exists(folder_.file("elsewhere/0-a.png")));
}

TEST_F(Outputs, AFolderThatIsMissingIsAWrongValue) {
  const std::string out = folder_.file("no/such/file");
  for (const auto& command : {dump(out), onnx(out)})
    expect_refusal(run_command(command), 2, {"there is no folder", "make it first"});
}

TEST_F(Outputs, TheFolderOfATraceNeedsTheTrace) {
  expect_refusal(run_command({"verify", model_, "--data-dir", "nope"}), 2, {"--data-dir nope", "--trace"});
}

}  // namespace
}  // namespace bitplane::testing
