// SPDX-License-Identifier: Apache-2.0
//
// A float run on a small data set, and procedures that start from it, for the tests of procedures.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "trainer/trainer_command.h"

namespace bitplane::train::testing {

/// That the procedure's folder `out` ended with the bytes of `whole`.
inline void expect_same_procedure(const TemporaryFolder& folder, const std::string& out,
                                  const std::string& whole, const std::vector<std::string>& stages) {
  const auto expect_same = [&](const std::string& file) {
    EXPECT_TRUE(read_file_text(folder / (out + file)) == read_file_text(folder / (whole + file)))
        << out << file;
  };
  for (const std::string& stage : stages) {
    for (const char* file : {"/model.safetensors", "/checkpoint-last.safetensors",
                             "/checkpoint-best.safetensors", "/result.json", ".prepared.json"})
      expect_same("/" + stage + file);
  }
  expect_same("/procedure.json");
}

/// A folder with a small data set and a float run "float" on it.
class FromFloatRun : public ::testing::Test {
 protected:
  /// How it is trained, beside the method.
  explicit FromFloatRun(Arguments float_run = {}) : float_run_(std::move(float_run)) {}

  void SetUp() override {
    write_small_dataset(folder_);
    Arguments arguments{"--method", "float"};
    arguments.insert(arguments.end(), float_run_.begin(), float_run_.end());
    const Finished trained = run(folder_, train_arguments(folder_, "float", arguments));
    ASSERT_EQ(trained.code, 0) << trained.err;
  }
  /// One epoch a stage unless `more` says otherwise.
  [[nodiscard]] Arguments quantize(const std::string& out, const Arguments& more) const {
    Arguments arguments{"quantize", "--out", folder_ / out};
    if (!has(more, "--from")) arguments.insert(arguments.end(), {"--from", folder_ / "float"});
    if (!has(more, "--epochs")) arguments.insert(arguments.end(), {"--epochs", "1"});
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  void expect_done(const Arguments& arguments) const {
    const Finished finished = run(folder_, arguments);
    EXPECT_EQ(finished.code, 0) << finished.err;
  }
  /// One line, with all of `parts`.
  void expect_refusal(const Arguments& arguments, const Arguments& parts) const {
    const Finished finished = run(folder_, arguments);
    EXPECT_NE(finished.code, 0);
    EXPECT_TRUE(finished.err.starts_with("trainer: error: ")) << finished.err;
    EXPECT_EQ(std::count(finished.err.begin(), finished.err.end(), '\n'), 1) << finished.err;
    for (const std::string& part : parts)
      EXPECT_NE(finished.err.find(part), std::string::npos) << part << " in: " << finished.err;
  }
  [[nodiscard]] bool exists(const std::string& name) const { return std::filesystem::exists(folder_ / name); }
  [[nodiscard]] nlohmann::json json(const std::string& name) const {
    return nlohmann::json::parse(read_file_text(folder_ / name));
  }
  /// As if the procedure had been killed before it noted that this stage is done.
  void forget_result(const std::string& procedure, std::size_t stage) const {
    nlohmann::ordered_json noted =
        nlohmann::ordered_json::parse(read_file_text(folder_ / (procedure + "/procedure.json")));
    noted.at("stages").at(stage).at("result") = nullptr;
    write_file_text(folder_ / (procedure + "/procedure.json"), noted.dump(2) + "\n");
  }
  TemporaryFolder folder_;

 private:
  static bool has(const Arguments& arguments, const std::string& name) {
    return std::ranges::find(arguments, name) != arguments.end();
  }
  Arguments float_run_;
};

}  // namespace bitplane::train::testing
