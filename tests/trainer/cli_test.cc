// SPDX-License-Identifier: Apache-2.0
//
// The built command, from outside: exit codes, one line on stderr, results on stdout.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "bitplane/engine.h"
#include "engine/data/trace.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/checkpoint/file.h"
#include "trainer/methods/method.h"
#include "trainer/nets/net.h"
#include "trainer/run_support.h"
#include "trainer/trainer_command.h"

namespace bitplane::train {
namespace {

using testing::Arguments;
using testing::Command;
using testing::expect_refusal;
using testing::Finished;
using testing::run;
using testing::TemporaryFolder;
using testing::train_arguments;
using testing::write_small_dataset;

TEST(TrainerCommand, HelpShowsExamplesFirst) {
  const TemporaryFolder folder;
  for (const Arguments& arguments :
       {Arguments{"--help"}, Arguments{"train", "--help"}, Arguments{"resume", "--help"},
        Arguments{"eval", "--help"}, Arguments{"export", "--help"}, Arguments{"list", "--help"}}) {
    const Finished help = run(folder, arguments);
    EXPECT_EQ(help.code, 0);
    EXPECT_TRUE(help.out.starts_with("Examples:\n  trainer ")) << help.out;
    EXPECT_EQ(help.err, "");
  }
  const Finished train = run(folder, {"train", "--help"});
  for (const ConfigField& field : config_fields())
    EXPECT_NE(train.out.find(flag_of(field) + " "), std::string::npos);
}

TEST(TrainerCommand, ListsAreWholeAndJson) {
  const TemporaryFolder folder;
  const auto names = [&](const std::string& what) {
    std::vector<std::string> found;
    const Finished listed = run(folder, {"list", what, "--json"});
    for (const auto& row : nlohmann::json::parse(listed.out)) found.push_back(row.at("name"));
    const Finished text = run(folder, {"list", what});
    for (const std::string& name : found) EXPECT_NE(text.out.find(name), std::string::npos);
    return found;
  };
  std::vector<std::string> wanted;
  for (const NetInfo& net : nets()) wanted.emplace_back(net.name);
  EXPECT_EQ(names("nets"), wanted);
  wanted.clear();
  for (const MethodInfo& method : methods()) wanted.emplace_back(method.name);
  EXPECT_EQ(names("methods"), wanted);
  wanted.clear();
  for (const auto& set : engine::data::datasets()) wanted.emplace_back(set.name);
  EXPECT_EQ(names("datasets"), wanted);
  expect_refusal(run(folder, {"list", "net"}), 2, "did you mean 'nets'");
}

TEST(TrainerCommand, BadValuesGetOneLineAndTheirExitCode) {
  const TemporaryFolder folder;
  const auto train = [&](Arguments more) {
    return run(folder, train_arguments(folder, "refused", std::move(more)));
  };
  expect_refusal(train({"--net", "cnn-smal"}), 2, "did you mean 'cnn-small'");
  expect_refusal(train({"--method", "lqnets"}), 2, "did you mean 'lq-nets'");
  expect_refusal(train({"--data", "fashion-minst"}), 2, "did you mean 'fashion-mnist'");
  expect_refusal(train({"--wbits", "9"}), 2, "bits are 1 to 8\n");
  expect_refusal(train({"--abits", "0"}), 2, "1 to 8, or 32");
  expect_refusal(train({"--wbits", "two"}), 2, "--wbits");
  expect_refusal(train({"--wbits", "32", "--abits", "2"}), 2, "give wbits 1 to 8");
  expect_refusal(train({"--method", "float", "--wbits", "2"}), 2, "keeps 32 bits");
  expect_refusal(train({"--epoch", "2"}), 2, "--epochs");
  expect_refusal(train({"--option", "alternations"}), 2, "NAME=VALUE");
  expect_refusal(train({"--option", "alternations=two"}), 2, "is 'two': that is no whole number from 1 to ");
  expect_refusal(train({"--option", "alternations="}), 2, "is '': that is no whole number from 1 to ");
  expect_refusal(train({"--option", "alternations=nan"}), 2, "is nan: that is no whole number from 1 to ");
  expect_refusal(train({"--option", "optimize=QEM"}), 2,
                 "option 'optimize' is 'QEM': that is none of its choices, qem, bp\n");
  expect_refusal(train({"--option", "optimize=pb"}), 2, "qem, bp; did you mean 'bp'?");
  expect_refusal(train({"--option", "optimize=bp", "--option", "optimize=qem"}), 2,
                 "--option optimize is given twice");
  expect_refusal(train({}), 3, "train-images-idx3-ubyte");
  expect_refusal(run(folder, {"train", "--data", "synthetic"}), 2, "--out");
  expect_refusal(run(folder, {"resume", folder / "nowhere"}), 3, "nowhere");
  expect_refusal(run(folder, {"export", folder / "nowhere", "--out", folder / "m"}), 3, "nowhere");
  EXPECT_FALSE(std::filesystem::exists(folder / "refused")) << "a refused run leaves no folder";
}

TEST(TrainerCommand, FlagsWithoutEffectAreRefused) {
  const TemporaryFolder folder;
  const auto refused = [&](const Arguments& more, const std::string& part) {
    expect_refusal(run(folder, train_arguments(folder, "refused", more, "9")), 2, part);
  };
  refused({"--drops", "1,2"},
          "--drops has no effect with --schedule one-cycle: it goes with --schedule step;");
  refused({"--drop-factor", "0.2"}, "it goes with --schedule step; leave it out, or give both\n");
  refused({"--power", "2", "--schedule", "step"}, "it goes with --schedule polynomial;");
  for (const char* divisor : {"--start-divisor", "--end-divisor"})
    refused({divisor, "10", "--schedule", "cosine"}, "it goes with --schedule one-cycle;");
  for (const char* moment : {"--beta2", "--epsilon"})
    refused({moment, "0.1"}, "has no effect with --optimizer sgd: it goes with --optimizer adam or adamw;");
  refused({"--teacher-share", "0.5"}, "--teacher-share has no effect without --teacher; leave it out");
  refused({"--init-missing", "keep"}, "--init-missing has no effect without --init-from; leave it out");
  EXPECT_FALSE(std::filesystem::exists(folder / "refused"));
}

TEST(TrainerCommand, AFileMayHoldSettingsThatHaveNoEffect) {
  const TemporaryFolder folder;
  write_small_dataset(folder);
  std::ofstream(folder / "c.json") << R"({"schedule": "step", "drops": "1,2", "beta2": 0.9})";
  const auto train = [&](const char* out, Arguments more) {
    more.insert(more.end(), {"--config", folder / "c.json"});
    return run(folder, train_arguments(folder, out, std::move(more), "3"));
  };
  const Finished fitting = train("a", {"--drop-factor", "0.2"});
  EXPECT_EQ(fitting.code, 0) << fitting.err;
  const Finished other = train("b", {"--schedule", "cosine"});
  EXPECT_EQ(other.code, 0) << other.err;
}

TEST(TrainerCommand, InputsThatAreNoneAreBadInput) {
  const TemporaryFolder folder;
  write_small_dataset(folder);
  std::ofstream(folder / "cut.json") << "{";
  std::ofstream(folder / "list.json") << "[1]";
  std::ofstream(folder / "large.json") << R"({"lr": 1e999})";
  std::filesystem::create_directory(folder / "folder.json");
  const auto refused = [&](const Arguments& more, const std::string& part) {
    expect_refusal(run(folder, train_arguments(folder, "refused", more)), 3, part);
  };
  for (const char* flag : {"--config", "--net"}) {
    refused({flag, folder / "none.json"}, "none.json': No such file or directory; check the path\n");
    refused({flag, folder / "folder.json"}, "folder.json': it is a folder; give a file\n");
    refused({flag, folder / "cut.json"}, "cut.json: not JSON at byte");
    refused({flag, folder / "list.json"}, "list.json: it must hold one JSON object");
    refused({flag, folder / "large.json"}, "large.json: a number in it is too large\n");
  }
  refused({"--init-from", folder / "folder.json"}, "folder.json': it is a folder; give a file\n");
  expect_refusal(run(folder, {"import", folder / "folder.json", "--data-dir", folder / "", "--method",
                              "float", "--out", folder / "refused"}),
                 3, "folder.json': it is a folder; give a file\n");
  EXPECT_FALSE(std::filesystem::exists(folder / "refused"));
}

TEST(TrainerCommand, TrainsEvaluatesAndExports) {
  const TemporaryFolder folder;
  write_small_dataset(folder);
  const Finished trained = run(folder, train_arguments(folder, "run", {"--json"}));
  ASSERT_EQ(trained.code, 0) << trained.err;
  const auto result = nlohmann::json::parse(trained.out);
  EXPECT_EQ(result.at("test_pictures"), 24);
  for (const char* file : {"config.json", "metrics.csv", "metrics.jsonl", "checkpoint-last.safetensors",
                           "checkpoint-best.safetensors", "result.json", "model.safetensors"}) {
    EXPECT_TRUE(std::filesystem::exists(folder / ("run/" + std::string(file)))) << file;
  }

  expect_refusal(run(folder, train_arguments(folder, "run")), 2, "already holds a run");
  const Finished again = run(folder, {"resume", folder / "run", "--json"});
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(nlohmann::json::parse(again.out).at("test_correct"), result.at("test_correct"));

  const Finished evaluated = run(folder, {"eval", folder / "run", "--trace", folder / "trace", "--json"});
  ASSERT_EQ(evaluated.code, 0) << evaluated.err;
  EXPECT_EQ(nlohmann::json::parse(evaluated.out).at("test_correct"), result.at("test_correct"));
  const auto trace = engine::data::read_trace(folder / "trace");
  ASSERT_TRUE(trace.ok()) << trace.status().message();
  EXPECT_EQ(trace->pictures.size(), 24U);
  EXPECT_EQ(trace->header.layers.size(), 4U);
  EXPECT_EQ(trace->header.dataset, "fashion-mnist");
  expect_refusal(run(folder, {"eval", folder / "run", "--checkpoint", "bets"}), 2, "did you mean 'best'");

  const Finished exported = run(folder, {"export", folder / "run", "--out", folder / "a.safetensors"});
  ASSERT_EQ(exported.code, 0) << exported.err;
  const auto model = engine::Model::load(folder / "a.safetensors");
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_TRUE(engine::self_test(model.value()).ok());
  EXPECT_EQ(read_file_bytes(folder / "a.safetensors"), read_file_bytes(folder / "run/model.safetensors"));
  expect_refusal(run(folder, {"export", folder / "run", "--out", folder / "no/such/folder/a"}), 2,
                 "no/such/folder");
}

TEST(TrainerCommand, CtrlCLeavesACheckpointThatResumeTakesUp) {
  const TemporaryFolder folder;
  write_small_dataset(folder);
  Command training(folder, train_arguments(folder, "run", {}, "100000"));
  const std::string checkpoint = folder / "run/checkpoint-best.safetensors";  // written after the first epoch
  for (int i = 0; i < 6000 && !std::filesystem::exists(checkpoint); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  training.interrupt();
  const Finished stopped = training.wait();
  EXPECT_EQ(stopped.code, 130) << stopped.err;
  EXPECT_NE(stopped.err.find("go on with: trainer resume"), std::string::npos) << stopped.err;
  EXPECT_EQ(stopped.out, "");
  const CheckpointReader kept(folder / "run/checkpoint-last.safetensors");
  EXPECT_GE(kept.progress().epoch, 1U);
}

TEST(TrainerCommand, AnUnknownInstructionSetIsNoSilentFallback) {
  const TemporaryFolder folder;
  write_small_dataset(folder);
  ::setenv("BITPLANE_ISA", "avx3", 1);
  const Finished finished = run(folder, train_arguments(folder, "run"));
  ::unsetenv("BITPLANE_ISA");
  expect_refusal(finished, 2, "avx3");
}

TEST(TrainerCommand, APrecisionThatTheMachineLacksIsNamed) {
  const TemporaryFolder folder;
  write_small_dataset(folder);
  ::setenv("BITPLANE_ISA", "scalar", 1);
  const Finished lacking = run(folder, train_arguments(folder, "run", {"--precision", "bf16"}));
  ::unsetenv("BITPLANE_ISA");
  expect_refusal(lacking, 4, "AVX-512 BF16");
  expect_refusal(run(folder, train_arguments(folder, "run", {"--precision", "bf17"})), 2, "float32");
}

TEST(TrainerCommand, AFolderThatCannotBeWrittenIsSaidBeforeTraining) {
  const TemporaryFolder folder;
  write_small_dataset(folder);
  std::ofstream(folder / "file") << "x";
  const Finished finished = run(folder, train_arguments(folder, "file/run"));
  EXPECT_EQ(finished.code, 5) << finished.err;
  EXPECT_NE(finished.err.find("cannot make the folder"), std::string::npos) << finished.err;
  EXPECT_EQ(finished.err.find("epoch 1"), std::string::npos) << finished.err;
}

}  // namespace
}  // namespace bitplane::train
