// SPDX-License-Identifier: Apache-2.0
//
// What `trainer quantize` refuses: runs that it cannot start from or go on with, and settings that a stage
// cannot have for itself.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "trainer/procedure_support.h"
#include "trainer/run/training.h"

namespace bitplane::train {
namespace {

namespace fs = std::filesystem;
using testing::Arguments;
using testing::run;

class ProcedureRefusals : public testing::FromFloatRun {
 protected:
  /// A run that was stopped in its first epoch.
  void stop_early(const std::string& name, const std::string& method) const {
    PartialConfig flags;
    flags.values = {
        .data = "fashion-mnist", .data_dir = folder_ / "", .epochs = 2, .batch = 32, .threads = 1};
    flags.values.method = method;
    flags.values.out = folder_ / name;
    flags.given = {"data", "data_dir", "epochs", "batch", "threads", "method", "out"};
    const Config config = resolve_config({}, flags);
    const TrainingData data = load_training_data(config);
    Training training = Training::start(config, data);
    ASSERT_EQ(training.run(testing::silent([] { return true; })), Outcome::Stopped);
  }
};

TEST_F(ProcedureRefusals, WhatBelongsToTheWholeProcedureIsNoSettingOfAStage) {
  for (const char* setting :
       {"data=synthetic", "data-dir=elsewhere", "net=resnet-20", "width=0.5", "normalize=pixel-mean",
        "method=lsq", "out=elsewhere", "init-from=weights", "init-missing=keep"}) {
    SCOPED_TRACE(setting);
    const std::string text = "3-bits." + std::string(setting);
    expect_refusal(quantize("x", {"--method", "qil", "--set", text}),
                   {"--set " + text, "the same in all stages", "lr, epochs or schedule"});
  }
  // Levels of other bits or of another type do not go with the parts that are there.
  for (const char* setting : {"wbits=4", "first-last=8", "layers=inner", "type=two-digit", "start=linear"}) {
    SCOPED_TRACE(setting);
    const std::string text = "part-2." + std::string(setting);
    expect_refusal(quantize("x", {"--method", "eslq", "--set", text}), {"the same in all stages"});
  }
  expect_refusal(quantize("x", {"--method", "inq", "--set", "part-2.shares=30-60-80-100"}),
                 {"the same in all stages"});
  // The transformation reproduces the codes of the stage before it.
  for (const char* setting : {"sparse.wbits=2", "sparse.abits=3", "sparse.first-last=8",
                              "fine-tune.theta=0.75", "transform.abits=1"}) {
    SCOPED_TRACE(setting);
    expect_refusal(quantize("x", {"--method", "tsq", "--set", setting}), {"the same in all stages"});
  }
  EXPECT_FALSE(exists("x"));
  expect_done(quantize("q", {"--method", "qil", "--option", "first_bits=3", "--until", "3-bits", "--epochs",
                             "0", "--set", "3-bits.seed=2", "--set", "3-bits.wbits=4"}));
  EXPECT_EQ(json("q/1-3-bits/config.json").at("wbits"), 4);
}

TEST_F(ProcedureRefusals, ASettingOfAStageThatDoesNotGoIsNamed) {
  const auto set = [&](const std::string& setting) {
    return quantize("x", {"--method", "gdrq", "--set", "fine-tune." + setting});
  };
  expect_refusal(set("k_z=3"), {"--set fine-tune.k_z=3: 'k_z' is no setting", "no option of method 'gdrq'",
                                "did you mean 'k_a'?", "Its options: alpha, "});
  EXPECT_EQ(run(folder_, set("k_z=3")).err.find("crop_padding"), std::string::npos);
  expect_refusal(set("epohcs=3"), {"did you mean 'epochs'?"});
  expect_refusal(set("lr="), {"--set fine-tune.lr=: 'lr' is \"\": it must be a number"});
  expect_refusal(set("lr=-1"), {"--set for stage 'fine-tune': lr is -1: it goes from"});
  expect_refusal(set("k_w=much"), {"--set for stage 'fine-tune': option 'k_w'"});
  expect_refusal(
      set("reshaping=off"),
      {"--set fine-tune.reshaping=off: reshaping is an option of the whole procedure: give --option"});
  EXPECT_FALSE(exists("x"));
}

TEST_F(ProcedureRefusals, FlagsWithoutEffectInAnyStageAreRefused) {
  expect_refusal(quantize("x", {"--method", "gdrq", "--beta2", "0.5"}),
                 {"--beta2 has no effect with --optimizer sgd: it goes with --optimizer adam or adamw"});
  expect_refusal(quantize("x", {"--method", "gdrq", "--power", "3"}), {"it goes with --schedule polynomial"});
  expect_refusal(quantize("x", {"--method", "gdrq", "--teacher-share", "0.9"}), {"without --teacher"});
  EXPECT_FALSE(exists("x"));
  expect_done(quantize(
      "q", {"--method", "gdrq", "--epochs", "0", "--power", "3", "--set", "fine-tune.schedule=polynomial"}));
}

TEST_F(ProcedureRefusals, OptionsOfAProcedureAreNotOnesOfTrain) {
  for (const auto& [method, option] : {std::pair{"qil", "first_bits=3"},
                                       {"tsq", "tfl_pictures=10"},
                                       {"gdrq", "reshaping=off"},
                                       {"mlq", "conv_groups=2"}}) {
    SCOPED_TRACE(option);
    expect_refusal(
        testing::train_arguments(folder_, "x", {"--method", method, "--option", option}),
        {"is one of `trainer quantize --method " + std::string(method) + "`, not of `trainer train`"});
  }
  EXPECT_FALSE(exists("x"));
}

TEST_F(ProcedureRefusals, WithoutAFloatRunItSaysHowToGetOne) {
  const Arguments arguments{"quantize", "--method", "qil", "--out", folder_ / "x"};
  expect_refusal(arguments, {"--from RUN", "give a finished run of `trainer train --method float`"});
  EXPECT_EQ(run(folder_, arguments).code, static_cast<int>(cli::ExitCode::BadUsage));
}

TEST_F(ProcedureRefusals, AFloatRunMustBeFinished) {
  stop_early("early", "float");
  expect_refusal(quantize("x", {"--from", folder_ / "early", "--method", "qil"}),
                 {"has done 0 of 2 epochs: finish it first: trainer resume " + folder_ / "early"});
  EXPECT_FALSE(exists("x"));
  expect_done({"train", "--data-dir", folder_ / "", "--method", "float", "--epochs", "0", "--out",
               folder_ / "start"});
  expect_done(quantize("q", {"--from", folder_ / "start", "--method", "ttq", "--epochs", "0"}));
}

TEST_F(ProcedureRefusals, AnImportedRunIsAStartUntilItGoesOn) {
  expect_done({"export", folder_ / "float", "--torch-names", folder_ / "weights"});
  expect_done({"import", folder_ / "weights", "--data-dir", folder_ / "", "--method", "float", "--epochs",
               "1", "--batch", "32", "--out", folder_ / "imported"});
  expect_done(quantize("q", {"--from", folder_ / "imported", "--method", "gdrq", "--epochs", "0"}));
  expect_done({"resume", folder_ / "imported"});
  fs::remove_all(folder_ / "q/2-fine-tune");
  expect_done({"resume", folder_ / "q"});
  for (const char* stage : {"q/1-reshape", "q/2-fine-tune"}) fs::remove_all(folder_ / stage);
  expect_refusal({"resume", folder_ / "q"},
                 {"'" + folder_ / "imported" + "' has other weights", "another --out"});
  EXPECT_FALSE(exists("q/1-reshape"));
}

TEST_F(ProcedureRefusals, ATeacherIsAFinishedFloatRun) {
  stop_early("early", "float");
  expect_done(testing::train_arguments(folder_, "low", {"--method", "dorefa"}));
  const auto taught_by = [&](const std::string& teacher) {
    return testing::train_arguments(folder_, "x", {"--method", "qil", "--teacher", folder_ / teacher});
  };
  expect_refusal(taught_by("early"), {"has done 0 of 2 epochs: finish it first"});
  expect_refusal(taught_by("low"), {"is a run of method 'dorefa' with 2/2 bits", "method 'float'"});
  EXPECT_FALSE(exists("x"));
}

TEST_F(ProcedureRefusals, ATeacherIsFoundFromAnotherFolder) {
  const fs::path here = fs::current_path();
  fs::current_path(folder_ / "");
  const testing::Finished trained =
      run(folder_, testing::train_arguments(folder_, "taught", {"--method", "qil", "--teacher", "float"}));
  const testing::Finished quantized =
      run(folder_, quantize("q", {"--method", "qil", "--option", "first_bits=3", "--teacher", "float",
                                  "--set", "2-bits.teacher=./float", "--until", "3-bits"}));
  fs::current_path(here);
  ASSERT_EQ(trained.code, 0) << trained.err;
  ASSERT_EQ(quantized.code, 0) << quantized.err;
  EXPECT_EQ(json("taught/config.json").at("teacher"), folder_ / "float");
  expect_done({"resume", folder_ / "taught"});
  expect_done({"resume", folder_ / "q"});
  EXPECT_EQ(json("q/2-2-bits/config.json").at("teacher"), folder_ / "float");
}

TEST_F(ProcedureRefusals, StagesOfAnotherProcedureAreNotTakenOver) {
  const Arguments slq{"--method", "slq", "--wbits", "3", "--epochs", "0"};
  expect_done(quantize("q", slq));
  fs::remove(folder_ / "q/procedure.json");
  const std::string model = read_file_text(folder_ / "q/3-part-3/model.safetensors");
  expect_refusal(
      quantize("q", {"--method", "eslq", "--wbits", "3", "--epochs", "0"}),
      {"q/1-part-1' holds a run with other settings (method was 'slq' and is 'eslq')", "another --out"});
  EXPECT_FALSE(exists("q/procedure.json"));
  expect_done(quantize("q", slq));
  EXPECT_TRUE(read_file_text(folder_ / "q/3-part-3/model.safetensors") == model);
  // The same where procedure.json is there.
  forget_result("q", 2);
  fs::copy_file(folder_ / "q/1-part-1/config.json", folder_ / "kept");
  nlohmann::json changed = json("q/3-part-3/config.json");
  changed.at("lr") = 0.5;
  write_file_text(folder_ / "q/3-part-3/config.json", changed.dump());
  expect_refusal({"resume", folder_ / "q"},
                 {"q/3-part-3' holds a run with other settings (lr was 0.5 and is "});
}

TEST_F(ProcedureRefusals, AStageWithoutItsConfigSaysWhatToDo) {
  expect_done(quantize("q", {"--method", "ttq"}));
  const std::string checkpoint = read_file_text(folder_ / "q/1-fine-tune/checkpoint-last.safetensors");
  fs::remove(folder_ / "q/1-fine-tune/config.json");
  expect_refusal({"resume", folder_ / "q"},
                 {"q/1-fine-tune' holds checkpoints but no config.json", "remove"});
  fs::remove(folder_ / "q/1-fine-tune/checkpoint-last.safetensors");
  expect_refusal({"resume", folder_ / "q"},
                 {"q/1-fine-tune' holds checkpoints but no config.json", "remove"});
  fs::remove_all(folder_ / "q/1-fine-tune");
  expect_done({"resume", folder_ / "q"});
  EXPECT_TRUE(read_file_text(folder_ / "q/1-fine-tune/checkpoint-last.safetensors") == checkpoint);
}

TEST_F(ProcedureRefusals, ADamagedDescriptionSaysHowToGetItBack) {
  const Arguments arguments = quantize("q", {"--method", "ttq"});
  expect_done(arguments);
  const std::string file = folder_ / "q/procedure.json", whole = read_file_text(file);
  const std::string model = read_file_text(folder_ / "q/1-fine-tune/model.safetensors");
  for (const std::string& text : {std::string(), whole.substr(0, whole.size() / 2), std::string("[]"),
                                  std::string("{}"), std::string(R"({"procedure": "tqt"})")}) {
    SCOPED_TRACE(text);
    write_file_text(file, text);
    expect_refusal({"resume", folder_ / "q"},
                   {file + ": ", "remove it and give the same `trainer quantize`"});
    EXPECT_EQ(run(folder_, {"resume", folder_ / "q"}).err.find("json.exception"), std::string::npos);
  }
  fs::remove(file);
  expect_done(arguments);
  EXPECT_TRUE(read_file_text(file) == whole);
  EXPECT_TRUE(read_file_text(folder_ / "q/1-fine-tune/model.safetensors") == model);
}

TEST_F(ProcedureRefusals, ASelectionWithoutStagesIsRefused) {
  expect_refusal(quantize("x", {"--method", "tsq", "--stages", "fine-tune", "--until", "sparse"}),
                 {"--stages", "'sparse'", "no stage"});
  EXPECT_FALSE(exists("x"));
}

TEST_F(ProcedureRefusals, BitsThatAreOfferedArePossible) {
  const auto refusal = [&](Arguments more) { return run(folder_, quantize("x", more)).err; };
  const std::string slq = refusal({"--method", "slq", "--wbits", "6"});
  EXPECT_NE(slq.find("3 to 5"), std::string::npos) << slq;
  EXPECT_EQ(slq.find("32"), std::string::npos) << slq;
  const std::string gdrq = refusal({"--method", "gdrq", "--wbits", "9"});
  EXPECT_NE(gdrq.find("1 to 8, or 32 for float"), std::string::npos) << gdrq;
  for (const Arguments& bits :
       {Arguments{"--wbits", "3"}, {"--wbits", "32"}, {"--abits", "9"}, {"--abits", "32"}}) {
    Arguments more{"--method", "tsq"};
    more.insert(more.end(), bits.begin(), bits.end());
    const std::string tsq = refusal(more);
    EXPECT_NE(tsq.find("ends with bits on both sides: give wbits 2 and abits 1 to 8"), std::string::npos)
        << tsq;
  }
  const std::string pair = refusal({"--method", "inq", "--wbits", "32", "--abits", "2"});
  EXPECT_NE(pair.find("give wbits 2 to 5"), std::string::npos) << pair;
  EXPECT_EQ(pair.find("or abits 32"), std::string::npos) << "32/32 is refused: " << pair;
}

}  // namespace
}  // namespace bitplane::train
