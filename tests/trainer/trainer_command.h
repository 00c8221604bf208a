// SPDX-License-Identifier: Apache-2.0
//
// The built command as a child process, and small data for it.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "trainer/checkpoint/file.h"
#include "trainer/run_support.h"

namespace bitplane::train::testing {

using Arguments = std::vector<std::string>;
struct Finished {
  int code = -1;
  std::string out, err;
};

/// A running command, its output in files of `folder`.
class Command {
 public:
  Command(const TemporaryFolder& folder, Arguments arguments)
      : out_(folder / "stdout"), err_(folder / "stderr") {
    arguments.insert(arguments.begin(), BITPLANE_TRAINER_COMMAND);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error("fork failed");  // and never signal process -1: that is everybody
    if (pid_ == 0) {
      if (std::freopen(out_.c_str(), "w", stdout) == nullptr ||
          std::freopen(err_.c_str(), "w", stderr) == nullptr)
        ::_exit(99);
      ::execv(argv[0], argv.data());
      ::_exit(98);
    }
  }
  void interrupt() const { ::kill(pid_, SIGINT); }
  void kill() const { ::kill(pid_, SIGKILL); }
  /// Whether it has ended; wait() tells how.
  [[nodiscard]] bool ended() const {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid != 0;
  }
  Finished wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    return {.code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status),
            .out = read_file_text(out_),
            .err = read_file_text(err_)};
  }

 private:
  std::string out_, err_;
  pid_t pid_ = -1;
};

inline Finished run(const TemporaryFolder& folder, Arguments arguments) {
  return Command(folder, std::move(arguments)).wait();
}

/// One clear line on stderr, nothing on stdout.
inline void expect_refusal(const Finished& finished, int code, const std::string& part) {
  EXPECT_EQ(finished.code, code) << finished.err;
  EXPECT_EQ(finished.out, "");
  EXPECT_NE(finished.err.find(part), std::string::npos) << finished.err;
  EXPECT_TRUE(finished.err.starts_with("trainer: error: ")) << finished.err;
  EXPECT_EQ(std::count(finished.err.begin(), finished.err.end(), '\n'), 1) << finished.err;
}

inline void write_idx(const std::string& stem, const engine::data::PictureSet& set) {
  const auto write = [](const std::string& path, const std::vector<std::uint32_t>& header,
                        const auto& bytes) {
    std::ofstream file(path, std::ios::binary);
    for (const std::uint32_t number : header) {
      for (int shift = 24; shift >= 0; shift -= 8) file.put(static_cast<char>((number >> shift) & 0xFFU));
    }
    for (const auto byte : bytes) file.put(static_cast<char>(byte));
  };
  const auto count = static_cast<std::uint32_t>(set.count);
  write(stem + "-images-idx3-ubyte", {0x803, count, 28, 28}, set.pixels);
  write(stem + "-labels-idx1-ubyte", {0x801, count}, set.labels);
}

/// A few drawn pictures in the files of Fashion-MNIST.
inline void write_small_dataset(const TemporaryFolder& folder) {
  const TrainingData data = small_data(96, 24);
  write_idx(folder / "train", data.train);
  write_idx(folder / "t10k", data.test);
}

inline Arguments train_arguments(const TemporaryFolder& folder, const std::string& out, Arguments more = {},
                                 const std::string& epochs = "1") {
  Arguments arguments{"train", "--data-dir", folder / "", "--epochs", epochs,      "--batch",
                      "32",    "--threads",  "1",         "--out",    folder / out};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

}  // namespace bitplane::train::testing
