// SPDX-License-Identifier: Apache-2.0
//
// No command replaces what it reads or what a run keeps, and a wrong target is said before anything is
// computed.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "trainer/checkpoint/file.h"
#include "trainer/run_support.h"
#include "trainer/trainer_command.h"

namespace bitplane::train {
namespace {

using testing::Arguments;
using testing::expect_refusal;
using testing::Finished;
using testing::TemporaryFolder;
using testing::train_arguments;
using testing::write_small_dataset;

class CommandOutputs : public ::testing::Test {
 protected:
  void SetUp() override {
    write_small_dataset(folder_);
    const Finished trained = testing::run(folder_, train_arguments(folder_, "run"));
    ASSERT_EQ(trained.code, 0) << trained.err;
  }
  /// The command is refused as bad usage, and `file` stays as it is.
  void expect_kept(const Arguments& arguments, const std::string& file, const std::string& part) const {
    const auto before = read_file_bytes(file);
    expect_refusal(testing::run(folder_, arguments), 2, part);
    EXPECT_EQ(read_file_bytes(file), before) << file;
  }
  Arguments init(const std::string& out) const { return {"init", "--net", "lenet", "--out", out}; }

  TemporaryFolder folder_;
  std::string run_ = folder_ / "run";
};

TEST_F(CommandOutputs, EveryFileOfARunIsKept) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(run_)) files.push_back(entry.path().string());
  EXPECT_GE(files.size(), 10U);
  for (const std::string& file : files) {
    expect_kept({"eval", run_, "--trace", file}, file, "that would replace a file of the run in '");
    expect_kept({"export", run_, "--torch-names", file}, file, "that would replace a file of the run in '");
    expect_kept(init(file), file, "that would replace a file of the run in '");
    if (!file.ends_with("/model.safetensors"))
      expect_kept({"export", run_, "--out", file}, file, "that would replace a file of the run in '");
  }
}

TEST_F(CommandOutputs, ARunsOwnModelIsWrittenAnewAndThatOfAnotherIsNot) {
  const std::string model = run_ + "/model.safetensors";
  std::filesystem::remove(model);
  const Finished exported = testing::run(folder_, {"export", run_, "--out", model});
  EXPECT_EQ(exported.code, 0) << exported.err;
  std::filesystem::copy(run_, folder_ / "other");
  expect_kept({"export", folder_ / "other", "--out", model}, model, "a file of the run");
}

TEST_F(CommandOutputs, LinksAndDetoursAreSeen) {
  const std::string checkpoint = run_ + "/checkpoint-last.safetensors";
  std::filesystem::create_symlink(checkpoint, folder_ / "link");
  std::filesystem::create_directory_symlink(run_, folder_ / "linked");
  for (const std::string& detour : {folder_ / "link", folder_ / "linked/checkpoint-last.safetensors",
                                    run_ + "/./../run/checkpoint-last.safetensors"}) {
    expect_kept({"export", run_, "--out", detour}, checkpoint, detour + ": that would replace a file");
  }
}

TEST_F(CommandOutputs, AProceduresFilesAreKept) {
  std::ofstream(folder_ / "procedure.json") << "{}";
  std::ofstream(folder_ / "1-one.prepared.json") << "{}";
  for (const char* name : {"procedure.json", "1-one.prepared.json"})
    expect_kept(init(folder_ / name), folder_ / name, "a file of the run");
}

TEST_F(CommandOutputs, PicturesAreKept) {
  const std::string pictures = folder_ / "t10k-images-idx3-ubyte";
  expect_kept({"eval", run_, "--trace", pictures}, pictures, "a file of the data set");
}

TEST_F(CommandOutputs, TwoTargetsAreTwoFiles) {
  const std::string file = folder_ / "z";
  expect_refusal(testing::run(folder_, {"export", run_, "--out", file, "--torch-names", folder_ / "./z"}), 2,
                 "that is the file of --out, too");
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST_F(CommandOutputs, AFolderThatIsMissingIsSaidBeforeTheWork) {
  const std::string nowhere = folder_ / "no/such/file";
  const std::string said = "there is no folder '" + (folder_ / "no/such") + "'; make it first\n";
  expect_refusal(testing::run(folder_, {"eval", run_, "--trace", nowhere}), 2,
                 "--trace " + nowhere + ": " + said);
  expect_refusal(testing::run(folder_, {"export", run_, "--out", nowhere}), 2,
                 "--out " + nowhere + ": " + said);
  expect_refusal(testing::run(folder_, {"export", run_, "--torch-names", nowhere}), 2, said);
  expect_refusal(testing::run(folder_, init(nowhere)), 2, said);
  expect_refusal(testing::run(folder_, {"eval", run_, "--trace", run_}), 2, "that is a folder; give a file");
  expect_refusal(testing::run(folder_, {"eval", run_, "--trace", folder_ / "stdout/x"}), 5,
                 "no file can be written in");
}

TEST_F(CommandOutputs, AFolderThatIsNoTextIsRefusedAndNotMade) {
  const std::string out = folder_ / "x\xE9";
  expect_refusal(testing::run(folder_, train_arguments(folder_, "x\xE9")), 2, "is not UTF-8 text: rename it");
  EXPECT_FALSE(std::filesystem::exists(out));
}

TEST_F(CommandOutputs, ImportTakesItsFileBehindAnOption) {
  ASSERT_EQ(testing::run(folder_, {"export", run_, "--torch-names", folder_ / "w"}).code, 0);
  const Finished imported =
      testing::run(folder_, {"import", "--data-dir", folder_ / "", "--method", "lq-nets", "--option",
                             "optimize=bp", folder_ / "w", "--out", folder_ / "i"});
  EXPECT_EQ(imported.code, 0) << imported.err;
}

TEST_F(CommandOutputs, ImportTakesOneFile) {
  expect_refusal(testing::run(folder_, {"import", "", "--out", folder_ / "i"}), 2, "trainer import FILE");
  const Finished refused = testing::run(
      folder_, {"import", folder_ / "a.st", "--init-from", folder_ / "b.st", "--out", folder_ / "i"});
  expect_refusal(refused, 2,
                 "`trainer import` starts from '" + (folder_ / "a.st") + "'; leave --init-from out");
}

}  // namespace
}  // namespace bitplane::train
