// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "bitplane/model_spec.h"
#include "io/read_file.h"

namespace bitplane::engine {
namespace {

namespace fs = std::filesystem;

class AtomicWrite : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "bitplane-write-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override {
    fs::permissions(folder_, fs::perms::owner_all);
    fs::remove_all(folder_);
  }

  static std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }
  static std::string text_of(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }

  static bool contains(const Status& status, std::string_view part) {
    return status.message().find(part) != std::string::npos;
  }
  /// Runs `check` in a child process: limits and user ids belong to a whole process.
  template <class Check>
  static bool holds_in_child(const Check& check) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(check() ? 0 : 1);
    int result = 1;
    return child > 0 && ::waitpid(child, &result, 0) == child && WIFEXITED(result) &&
           WEXITSTATUS(result) == 0;
  }

  fs::path folder_;
};

TEST_F(AtomicWrite, WritesReplacesAndLeavesNothingElse) {
  const fs::path path = folder_ / "a.safetensors";
  for (const std::string& text : {std::string("first"), std::string(), std::string(300000, 'x')}) {
    const Status status = write_file_atomically(path.string(), bytes_of(text));
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(text_of(path), text);
    EXPECT_EQ(files(), 1U);
  }
}

TEST_F(AtomicWrite, ASymbolicLinkStaysOneAndItsTargetIsReplaced) {
  ASSERT_TRUE(write_file_atomically((folder_ / "real").string(), bytes_of("old")).ok());
  fs::create_symlink("real", folder_ / "link");
  ASSERT_TRUE(write_file_atomically((folder_ / "link").string(), bytes_of("new")).ok());
  EXPECT_TRUE(fs::is_symlink(folder_ / "link"));
  EXPECT_EQ(text_of(folder_ / "real"), "new");
}

TEST_F(AtomicWrite, ASymbolicLinkToNothingYetStaysOneToo) {
  fs::create_directory(folder_ / "there");
  fs::create_symlink("there/second", folder_ / "first");
  fs::create_symlink("real", folder_ / "there" / "second");
  const Status status = write_file_atomically((folder_ / "first").string(), bytes_of("new"));
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_TRUE(fs::is_symlink(folder_ / "first"));
  EXPECT_TRUE(fs::is_symlink(folder_ / "there" / "second"));
  EXPECT_EQ(text_of(folder_ / "there" / "real"), "new");
  fs::create_symlink("round", folder_ / "round");
  const Status round = write_file_atomically((folder_ / "round").string(), bytes_of("new"));
  EXPECT_FALSE(round.ok());
  EXPECT_TRUE(fs::is_symlink(folder_ / "round"));
}

TEST_F(AtomicWrite, WhatAKilledProcessOfTheSameNumberLeftIsNotInTheWay) {
  constexpr int kMany = 1000;
  const std::string path = (folder_ / "a").string(), left = path + ".tmp-" + std::to_string(::getpid()) + "-";
  for (int i = 0; i < kMany; ++i) std::ofstream(left + std::to_string(i)) << "theirs";
  for (const char* text : {"first", "second"}) {
    const Status status = write_file_atomically(path, bytes_of(text));
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(text_of(path), text);
  }
  EXPECT_EQ(files(), kMany + 1U) << "theirs stay";
  EXPECT_EQ(text_of(left + "0"), "theirs");
}

TEST_F(AtomicWrite, ARelativePathWithoutFolderWorks) {
  const fs::path before = fs::current_path();
  fs::current_path(folder_);
  const Status status = write_file_atomically("plain", bytes_of("text"));
  fs::current_path(before);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(text_of(folder_ / "plain"), "text");
}

TEST_F(AtomicWrite, AFullDiskLeavesTheOldFileAndNoTemporary) {
  const fs::path path = folder_ / "a.safetensors";
  ASSERT_TRUE(write_file_atomically(path.string(), bytes_of("old")).ok());
  const std::string large(100000, 'x');
  // A file-size limit makes write() fail half-way as a full disk does.
  EXPECT_TRUE(holds_in_child([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{4096, 4096};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return false;
    const Status status = write_file_atomically(path.string(), bytes_of(large));
    return status.code() == StatusCode::IoError && contains(status, "File too large") &&
           contains(status, "a.safetensors");
  }));
  EXPECT_EQ(text_of(path), "old");
  EXPECT_EQ(files(), 1U);
}

TEST_F(AtomicWrite, AnUnwritableFolderIsAnErrorThatNamesTheFile) {
  fs::permissions(folder_, fs::perms(0555));
  EXPECT_TRUE(holds_in_child([&] {
    constexpr uid_t kNobody = 65534;  // permissions do not bind root
    if (::geteuid() == 0 && ::seteuid(kNobody) != 0) return false;
    const Status status = write_file_atomically((folder_ / "b").string(), bytes_of("text"));
    return status.code() == StatusCode::IoError && contains(status, "Permission denied") &&
           contains(status, "/b'");
  }));
  EXPECT_EQ(files(), 0U);
}

TEST_F(AtomicWrite, AMissingFolderADirectoryAndADeviceAreRefused) {
  const Status missing = write_file_atomically((folder_ / "no" / "b").string(), bytes_of("text"));
  EXPECT_EQ(missing.code(), StatusCode::NotFound);
  EXPECT_NE(missing.message().find("No such file or directory"), std::string::npos) << missing.message();
  const Status directory = write_file_atomically(folder_.string(), bytes_of("text"));
  EXPECT_EQ(directory.code(), StatusCode::InvalidArgument) << directory.message();
  // Renaming over /dev/full would replace the device for everyone.
  const Status device = write_file_atomically("/dev/full", bytes_of("text"));
  EXPECT_EQ(device.code(), StatusCode::InvalidArgument) << device.message();
  EXPECT_TRUE(fs::is_character_file("/dev/full"));
  EXPECT_EQ(write_file_atomically("", {}).code(), StatusCode::InvalidArgument);
  EXPECT_EQ(files(), 0U);
}

TEST_F(AtomicWrite, ReadFileRefusesWhatIsNoRegularFileOrTooLarge) {
  const std::string path = (folder_ / "a").string();
  ASSERT_TRUE(write_file_atomically(path, bytes_of("12345")).ok());
  const Result<std::vector<std::byte>> read = read_file(path, 5);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read.value().size(), 5U);
  EXPECT_EQ(read_file(path, 4).status().code(), StatusCode::InvalidArgument);
  EXPECT_EQ(read_file(path + "x", 5).status().code(), StatusCode::NotFound);
  EXPECT_EQ(read_file(folder_.string(), 5).status().code(), StatusCode::InvalidArgument);
  EXPECT_EQ(read_file("/dev/zero", 5).status().code(), StatusCode::InvalidArgument);
  const std::string pipe = (folder_ / "pipe").string();
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(read_file(pipe, 5).status().code(), StatusCode::InvalidArgument);
}

}  // namespace
}  // namespace bitplane::engine
