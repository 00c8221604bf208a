// SPDX-License-Identifier: Apache-2.0
//
// What `trainer quantize` can know of all stages is refused before anything is written or trained, so that
// the corrected command can have the same folder.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "trainer/procedure_support.h"

namespace bitplane::train {
namespace {

namespace fs = std::filesystem;
using testing::Arguments;

class ProcedureChecks : public testing::FromFloatRun {
 protected:
  ProcedureChecks() : FromFloatRun({"--width", "0.25"}) {}

  void expect_nothing_left(const Arguments& more, const Arguments& parts) const {
    SCOPED_TRACE(::testing::PrintToString(more));
    expect_refusal(quantize("x", more), parts);
    EXPECT_FALSE(exists("x"));
  }
  /// A float run of a net of these layers, between the first convolution and the last layer.
  void train_net(const std::string& name, const std::string& inner) const {
    write_file_text(
        folder_ / (name + ".json"),
        R"({"layers": [{"type": "conv", "channels": 4, "place": "first"}, {"type": "batch_norm"},)"
        R"({"type": "relu"},)" +
            inner +
            R"({"type": "global_average_pool"},)"
            R"({"type": "linear", "features": "classes", "place": "last"}]})");
    expect_done(
        testing::train_arguments(folder_, name, {"--method", "float", "--net", folder_ / (name + ".json")}));
  }
};

TEST_F(ProcedureChecks, GroupsOfEveryStageSelectParameters) {
  const Arguments gdrq{"--method", "gdrq", "--epochs", "0"};
  const auto with = [&](const Arguments& more) {
    Arguments all = gdrq;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  expect_nothing_left(with({"--set", "fine-tune.groups=zz: lr=1"}),
                      {"stage 'fine-tune': groups: 'zz' selects no parameter"});
  expect_nothing_left(with({"--set", "fine-tune.groups=zz: lr=1", "--until", "reshape"}), {"'fine-tune'"});
  expect_nothing_left(with({"--groups", "zz: lr=1"}), {"stage 'reshape': groups: 'zz'"});
  expect_done(quantize("x", with({"--set", "fine-tune.groups=fc*: lr=1"})));
}

TEST_F(ProcedureChecks, TeachersOfEveryStageExistAndFit) {
  expect_done(testing::train_arguments(folder_, "low", {"--method", "dorefa", "--width", "0.25"}));
  expect_done(testing::train_arguments(
      folder_, "other",
      {"--method", "float", "--width", "0.25", "--normalize", "pixel-mean", "--lr", "1e-4"}));
  const auto none = folder_ / "none", low = folder_ / "low", other = folder_ / "other";
  expect_nothing_left({"--method", "gdrq", "--teacher", none}, {"teacher: '" + none + "' is no folder"});
  expect_nothing_left({"--method", "gdrq", "--teacher", low}, {"is a run of method 'dorefa'"});
  expect_nothing_left({"--method", "gdrq", "--teacher", other}, {"trained on other pictures"});
  expect_nothing_left({"--method", "gdrq", "--set", "fine-tune.teacher=" + none},
                      {"stage 'fine-tune': teacher: '" + none + "' is no folder"});
}

TEST_F(ProcedureChecks, TheNetHasWhatTheMethodQuantizes) {
  train_net("two", "");
  const std::string two = folder_ / "two";
  expect_nothing_left({"--from", two, "--method", "inq"},
                      {"method 'inq' finds no layer of this net to quantize: give --option layers=all"});
  expect_nothing_left({"--from", two, "--method", "inq", "--first-last", "8"}, {"finds no layer"});
  expect_nothing_left({"--from", two, "--method", "slq", "--option", "layers=inner"}, {"layers=all"});
  expect_nothing_left({"--from", two, "--method", "tsq"},
                      {"stage 'sparse': method 'tsq' finds no activations of this net to quantize"});
  expect_nothing_left({"--from", two, "--method", "ttq"},
                      {"finds no layer", "between the first and the last"});
  expect_done(quantize("x", {"--from", two, "--method", "inq", "--option", "layers=all", "--epochs", "0"}));
  train_net("plain", R"({"type": "conv", "channels": 4}, {"type": "batch_norm"}, {"type": "relu"},)");
  fs::remove_all(folder_ / "x");
  expect_nothing_left({"--from", folder_ / "plain", "--method", "tsq"}, {"finds no activations"});
  expect_done(quantize("x", {"--from", folder_ / "plain", "--method", "ttq", "--epochs", "0"}));
}

TEST_F(ProcedureChecks, TrainAsksTheSame) {
  train_net("two", "");
  const auto arguments = [&](const std::string& method) {
    return testing::train_arguments(folder_, "x", {"--method", method, "--net", folder_ / "two.json"});
  };
  expect_refusal(arguments("lq-nets"),
                 {"method 'lq-nets' finds no layer of this net to quantize: take a net"});
  expect_refusal(arguments("hwgq"), {"finds no layer"});
  EXPECT_FALSE(exists("x"));
  Arguments wider = arguments("gdrq");  // with the first layer's weights, but no activations
  expect_refusal(wider, {"finds no activations", "layers of type quantize"});
  wider.insert(wider.end(), {"--abits", "32"});
  expect_done(wider);
}

TEST_F(ProcedureChecks, TheDataIsThatOfTheFloatRun) {
  fs::create_directories(folder_ / "elsewhere");
  const TrainingData data = testing::small_data(64, 24);
  testing::write_idx(folder_ / "elsewhere/train", data.train);
  testing::write_idx(folder_ / "elsewhere/t10k", data.test);
  expect_nothing_left({"--method", "ttq", "--data-dir", folder_ / "elsewhere"},
                      {"trained on other pictures"});
  expect_nothing_left({"--method", "ttq", "--data-dir", folder_ / "nowhere"}, {"nowhere"});
}

TEST_F(ProcedureChecks, AStageNeedsTheOneBeforeIt) {
  expect_nothing_left({"--method", "gdrq", "--stages", "fine-tune"},
                      {"stage 'fine-tune' begins with the end of stage 'reshape'"});
}

TEST_F(ProcedureChecks, APlanOfWhichNothingHasBegunMakesRoomForAnother) {
  expect_done(quantize("x", {"--method", "gdrq", "--epochs", "0", "--until", "reshape"}));
  expect_refusal(quantize("x", {"--method", "gdrq", "--epochs", "1"}), {"procedure with other settings"});
  forget_result("x", 0);
  fs::remove_all(folder_ / "x/1-reshape");
  expect_done(quantize("x", {"--method", "gdrq", "--epochs", "1", "--until", "reshape"}));
  EXPECT_EQ(json("x/procedure.json").at("request").at("epochs"), 1);
}

}  // namespace
}  // namespace bitplane::train
