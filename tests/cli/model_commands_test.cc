// SPDX-License-Identifier: Apache-2.0
//
// info, run, eval, bench and pictures on a small model, and on files that are none.
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <span>

#include "bitplane/model_spec.h"
#include "bitplane/safetensors.h"
#include "cli/command.h"
#include "cli/small_model.h"
#include "engine/data/class_folder.h"
#include "engine/data/picture.h"

namespace bitplane::testing {
namespace {

class ModelCommands : public ::testing::Test {
 protected:
  void SetUp() override {
    const engine::Status written = engine::write_model(model_, small_spec_with_golden());
    ASSERT_TRUE(written.ok()) << written.message();
  }
  std::string picture(const std::string& name, std::size_t height, std::size_t width) const {
    engine::data::Picture pixels{height, width, 1, Bytes(height * width)};
    for (std::size_t i = 0; i < pixels.pixels.size(); ++i)
      pixels.pixels[i] = static_cast<std::uint8_t>(i * 13);
    EXPECT_TRUE(engine::data::write_png(folder_.file(name), pixels).ok());
    return folder_.file(name);
  }

  TemporaryFolder folder_;
  std::string model_ = folder_.file("small.safetensors");
};

TEST_F(ModelCommands, InfoShowsEveryStep) {
  const Outcome text = run_command({"info", model_});
  expect_success(text);
  for (const char* part :
       {"small", "28x28x1", "10 classes", "shape 9", "conv1", "conv2", "14x14x8", "fc", "2 bits", "float"}) {
    expect_contains(text.out, part);
  }
  const Outcome document = run_command({"info", model_, "--json"});
  expect_success(document);
  const auto json = nlohmann::json::parse(document.out);
  EXPECT_EQ(json.at("name"), "small");
  EXPECT_EQ(json.at("input"), nlohmann::json({28, 28, 1}));
  EXPECT_EQ(json.at("file_bytes"), std::filesystem::file_size(model_));
  EXPECT_EQ(json.at("labels").size(), 10U);
  EXPECT_FALSE(json.at("steps").empty());
}

TEST_F(ModelCommands, RunPrintsTheTopClasses) {
  const std::string fits = picture("fits.png", 28, 28);
  const Outcome text = run_command({"run", model_, fits});
  expect_success(text);
  EXPECT_EQ(std::count(text.out.begin(), text.out.end(), '%'), 5);
  expect_contains(text.out, "shape ");
  const Outcome document = run_command({"run", model_, fits, fits, "--top", "10", "--json"});
  expect_success(document);
  const auto json = nlohmann::json::parse(document.out);
  ASSERT_EQ(json.size(), 2U);
  double sum = 0.0, before = 1.0;
  for (const auto& guess : json[0].at("guesses")) {
    const double probability = guess.at("probability");
    EXPECT_LE(probability, before);
    before = probability;
    sum += probability;
  }
  EXPECT_NEAR(sum, 1.0, 1e-9);
  EXPECT_EQ(json[0].at("guesses"), json[1].at("guesses"));
}

TEST_F(ModelCommands, AnotherSizeIsResizedAndSaidOrRefused) {
  const std::string large = picture("large.png", 50, 70);
  for (const char* fit : {"resize", "crop"}) {
    const Outcome outcome = run_command({"run", model_, large, "--fit", fit});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_TRUE(outcome.err.starts_with("note: ")) << outcome.err;
    expect_contains(outcome.err, "large.png: the picture is 50x70, the model takes 28x28");
    expect_contains(outcome.out, "large.png");
  }
  expect_refusal(run_command({"run", model_, large, "--strict"}), 3, {"50x70", "28x28", "--strict"});
}

TEST_F(ModelCommands, EvaluationsWindowIsThatOfTheTestsAndTheDefaultOfItsDataSet) {
  const std::string large = picture("large.png", 50, 70);
  const auto read = engine::data::read_picture(large, 1);
  ASSERT_TRUE(read.ok());
  const engine::data::Window window = engine::data::inference_window(read.value(), 28, 28);
  const std::string cut = folder_.file("cut.png");
  ASSERT_TRUE(engine::data::write_png(cut, engine::data::resample(read.value(), window, 28, 28)).ok());
  const auto guesses = [&](std::vector<std::string> command) {
    command.emplace_back("--json");
    const Outcome outcome = run_command(command);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return nlohmann::json::parse(outcome.out).at(0).at("guesses");
  };
  const auto expected = guesses({"run", model_, cut});
  EXPECT_EQ(guesses({"run", model_, large, "--fit", "evaluation"}), expected);
  EXPECT_NE(guesses({"run", model_, large}), expected);
  engine::ModelSpec streamed = small_spec();
  streamed.provenance["data"] = "folder-224";
  const std::string other = folder_.file("streamed.safetensors");
  ASSERT_TRUE(engine::write_model(other, streamed).ok());
  EXPECT_EQ(guesses({"run", other, large}), expected);
  EXPECT_EQ(guesses({"run", other, cut}), expected) << "it has been cut";
  EXPECT_NE(guesses({"run", other, cut, "--fit", "evaluation"}), expected) << "asked for, it is cut again";
}

TEST_F(ModelCommands, OneBadPictureStopsBeforeAnythingIsPrinted) {
  const std::string good = picture("good.png", 28, 28);
  const std::string bad = folder_.write("bad.png", {'n', 'o'});
  expect_refusal(run_command({"run", model_, good, bad}), 3, {"bad.png", "PNG or JPEG"});
  expect_refusal(run_command({"run", model_, folder_.file("missing.png")}), 3,
                 {"missing.png", "No such file"});
  expect_refusal(run_command({"run", model_, folder_.path()}), 2, {"folder"});
}

TEST_F(ModelCommands, EvalGivesTheSameAccuracyForAnyThreadsAndIsa) {
  const Outcome one = run_command({"eval", model_, "--data", "synthetic", "--json"});
  const Outcome two =
      run_command({"eval", model_, "--data", "synthetic", "--threads", "3", "--isa", "scalar", "--json"});
  expect_success(one);
  expect_success(two);
  const auto a = nlohmann::json::parse(one.out), b = nlohmann::json::parse(two.out);
  EXPECT_EQ(a.at("pictures"), 2000);
  EXPECT_EQ(a.at("correct"), b.at("correct"));
  EXPECT_EQ(b.at("isa"), "scalar");
  const Outcome text = run_command({"eval", model_, "--data", "synthetic"});
  expect_success(text);
  expect_contains(text.out, "of 2000 test pictures of synthetic");
}

TEST_F(ModelCommands, EvalRefusesWhatDoesNotFit) {
  engine::ModelSpec other = small_spec();
  other.input.height = 32;
  const std::string path = folder_.file("other.safetensors");
  ASSERT_TRUE(engine::write_model(path, other).ok());
  expect_refusal(run_command({"eval", path, "--data", "synthetic"}), 2, {"28x28x1", "32x28x1"});
  engine::ModelSpec elsewhere = small_spec();
  elsewhere.provenance["data"] = "mnist";
  ASSERT_TRUE(engine::write_model(path, elsewhere).ok());
  expect_refusal(run_command({"eval", path, "--data", "synthetic"}), 2,
                 {"trained on mnist", "not on synthetic", "--other-data"});
  expect_success(run_command({"eval", path, "--data", "synthetic", "--other-data"}));
  expect_refusal(run_command({"eval", model_, "--data", "fashion-mnist", "--data-dir", folder_.path()}), 3,
                 {"t10k-images-idx3-ubyte", "dataset-fashion-mnist"});
}

TEST_F(ModelCommands, BenchProfilesEveryStep) {
  const Outcome text = run_command({"bench", model_, "--repetitions", "5", "--warm-up", "1", "--batch", "2"});
  expect_success(text);
  for (const char* part : {"median", "us per picture", "GMAC/s", "Gbit-op/s", "conv2"})
    expect_contains(text.out, part);
  const Outcome document = run_command({"bench", model_, "--repetitions", "5", "--isa", "scalar", "--json"});
  expect_success(document);
  const auto json = nlohmann::json::parse(document.out);
  EXPECT_EQ(json.at("isa"), "scalar");
  EXPECT_GT(json.at("peak_memory_bytes"), json.at("session_bytes"));
  EXPECT_GT(json.at("load_ms"), 0.0);
  EXPECT_GT(json.at("create_ms"), 0.0);
  EXPECT_TRUE(json.at("peaks").is_array());
  EXPECT_LE(json.at("median_us_per_picture"), json.at("p95_us_per_picture"));
  EXPECT_FALSE(json.at("steps").empty());
}

TEST_F(ModelCommands, PicturesWrittenAreThoseThatRunReads) {
  const std::string out = folder_.file("new/folder");
  const Outcome outcome =
      run_command({"pictures", "--data", "synthetic", "--first", "7", "--count", "2", "--out", out});
  expect_success(outcome);
  EXPECT_EQ(outcome.out, out + "/7-stripes.png\n" + out + "/8-checkers.png\n");
  const auto set = engine::data::load_dataset("synthetic", "", engine::data::Split::Test);
  const auto again = engine::data::read_picture(out + "/8-checkers.png", 1);
  ASSERT_TRUE(set.ok() && again.ok());
  EXPECT_TRUE(std::equal(again->pixels.begin(), again->pixels.end(), set->picture(8).begin()));
  expect_success(run_command({"run", model_, out + "/7-stripes.png", "--strict"}));
  expect_refusal(
      run_command({"pictures", "--data", "synthetic", "--first", "1999", "--count", "2", "--out", out}), 2,
      {"2000 test pictures"});
  expect_refusal(run_command({"pictures", "--data", "synthetic", "--out", model_ + "/x"}), 5,
                 {"small.safetensors"});
}

TEST_F(ModelCommands, InfoCountsParametersByWidth) {
  const auto json = nlohmann::json::parse(run_command({"info", model_, "--json"}).out);
  // conv2 17 x 72 and conv3 12 x 153 in 2 planes of 64-bit words; the rest are floats.
  ASSERT_EQ(json.at("weights").size(), 2U);
  const auto& planes = json.at("weights")[0];
  EXPECT_EQ(planes.at("bits"), 2);
  EXPECT_EQ(planes.at("parameters"), 17 * 72 + 12 * 153);
  EXPECT_EQ(planes.at("bytes"), 8 * 2 * (17 * 2 + 12 * 3));
  EXPECT_EQ(json.at("weights")[1].at("bits"), 32);
  for (const auto& node : json.at("nodes")) {
    if (node.at("name") == "conv3") {
      EXPECT_EQ(node.at("by_bits")[1].at("parameters"), 12);
    }
    if (node.at("name") == "q2") {
      EXPECT_EQ(node.at("by_bits")[0].at("parameters"), 3 + 1)
          << "thresholds and the scale of a uniform basis";
    }
  }
  const auto sum = [](const nlohmann::json& list) {
    std::size_t parameters = 0;
    for (const auto& entry : list) parameters += entry.at("parameters").get<std::size_t>();
    return parameters;
  };
  EXPECT_EQ(sum(json.at("weights")), sum(json.at("steps")));
}

TEST_F(ModelCommands, InfoShowsThePasses) {
  const Outcome text = run_command({"info", model_, "--passes"});
  expect_success(text);
  for (const char* part : {"== expand: ", "== fuse: ", "== pool_on_ranks: ", "== compare_integers: ",
                           "== plan_arena: ", "convolution [conv2", "ranks of 2 bits", "(as before)"})
    expect_contains(text.out, part);
  const Outcome document = run_command({"info", model_, "--passes", "--json"});
  expect_success(document);
  const auto json = nlohmann::json::parse(document.out);
  EXPECT_EQ(json.front().at("pass"), "expand");
  EXPECT_EQ(json.back().at("pass"), "plan_arena");
  EXPECT_GT(json.front().at("steps"), json.back().at("steps"));
  expect_refusal(run_command({"info", model_, "--passes", "--isa", "scalar"}), 2, {"--passes", "--isa"});
}

TEST_F(ModelCommands, ExplainMeasuresWhatWouldGain) {
  const Outcome text = run_command({"explain", model_, "--repetitions", "3"});
  expect_success(text);
  expect_contains(text.out, "in float32");
  const Outcome document =
      run_command({"explain", model_, "--repetitions", "3", "--isa", "scalar", "--json"});
  expect_success(document);
  const auto json = nlohmann::json::parse(document.out);
  EXPECT_EQ(json.at("isa"), "scalar");
  bool padding = false;
  for (const auto& finding : json.at("findings")) {
    EXPECT_GT(finding.at("now_ns"), 0.0);
    padding =
        padding || finding.at("advice").get<std::string>().starts_with("8 channels take granules of 16");
  }
  EXPECT_TRUE(padding) << document.out;
}

TEST_F(ModelCommands, ExportWritesAnOnnxFile) {
  const std::string out = folder_.file("small.onnx");
  const Outcome text = run_command({"export", "--onnx", model_, "--out", out});
  expect_success(text);
  expect_contains(text.out, "[batch][1][28][28]");
  const Bytes file = read_bytes(out);
  EXPECT_EQ(std::string(file.begin(), file.end()).substr(0, 12), std::string("\x08\x07\x12\x08"
                                                                             "bitplane"));
  const Outcome document = run_command({"export", "--onnx", "--quantizers", model_, "--out", out, "--json"});
  expect_success(document);
  const auto json = nlohmann::json::parse(document.out);
  EXPECT_EQ(json.at("bytes"), std::filesystem::file_size(out));
  EXPECT_EQ(json.at("quantizers").at(0), nlohmann::json({{"name", "q1"}, {"input", "relu1"}}));
  EXPECT_EQ(json.at("output"), nlohmann::json({"batch", 10}));
  expect_refusal(run_command({"export", model_, "--out", out}), 2, {"--onnx"});
  expect_refusal(run_command({"export", "--onnx", model_, "--out", model_ + "/x"}), 5, {"small.safetensors"});
}

TEST_F(ModelCommands, DumpHoldsPicturesOutputsAndCodes) {
  const std::string out = folder_.file("dump.safetensors");
  expect_success(run_command({"dump", model_, "--data", "synthetic", "--first", "1990", "--out", out}));
  const Bytes last_ten = read_bytes(out);
  EXPECT_EQ(engine::parse_safetensors(std::as_bytes(std::span(last_ten)))->tensors.size(), 3U);
  expect_success(run_command(
      {"dump", model_, "--data", "synthetic", "--first", "5", "--count", "3", "--codes", "--out", out}));
  const Bytes file = read_bytes(out);
  const auto parsed = engine::parse_safetensors(std::as_bytes(std::span(file)));
  ASSERT_TRUE(parsed.ok()) << parsed.status().message();
  std::map<std::string, std::vector<std::size_t>> shapes;
  for (const engine::TensorEntry& entry : parsed->tensors) shapes[entry.name] = entry.tensor.shape;
  EXPECT_EQ(shapes.at("pictures"), (std::vector<std::size_t>{3, 28, 28, 1}));
  EXPECT_EQ(shapes.at("outputs"), (std::vector<std::size_t>{3, 10}));
  EXPECT_EQ(shapes.at("labels"), (std::vector<std::size_t>{3}));
  EXPECT_EQ(shapes.at("codes.q1"), (std::vector<std::size_t>{3, 14, 14, 8}));
  EXPECT_EQ(shapes.at("levels.q2"), (std::vector<std::size_t>{4}));
  EXPECT_EQ(shapes.at("thresholds.q2"), (std::vector<std::size_t>{3}));
  expect_refusal(
      run_command({"dump", model_, "--data", "synthetic", "--first", "1999", "--count", "2", "--out", out}),
      2, {"2000 test pictures"});
}

TEST_F(ModelCommands, UnknownAndAbsentIsas) {
  expect_refusal(run_command({"info", model_, "--isa", "avx1024"}), 2, {"avx1024"});
  expect_refusal(run_command({"info", model_}, "BITPLANE_ISA=pentium"), 2, {"pentium"});
  expect_success(run_command({"info", model_, "--isa", "scalar"}, "BITPLANE_ISA=pentium"));
}

TEST_F(ModelCommands, TheKernelsOfQuantizedLayersCanBeChosen) {
  const Outcome document = run_command({"info", model_, "--family", "bitserial", "--json"});
  expect_success(document);
  const auto json = nlohmann::json::parse(document.out);
  bool quantized = false;
  for (const auto& step : json.at("steps")) {
    const auto kernel = step.at("kernel").get<std::string>();
    quantized = quantized || kernel.starts_with("bitserial");
    EXPECT_FALSE(kernel.starts_with("dot")) << kernel;
  }
  EXPECT_TRUE(quantized);
  expect_success(run_command({"run", model_, picture("tuned.png", 28, 28), "--autotune"}));
  expect_refusal(run_command({"info", model_, "--family", "bitparallel"}), 2, {"bitparallel", "bitserial"});
}

TEST_F(ModelCommands, FilesThatAreNoModels) {
  const Bytes whole = read_bytes(model_);
  const std::string cut = folder_.write(
      "cut.safetensors", Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(whole.size() / 2)));
  const std::string empty = folder_.write("empty.safetensors", {});
  Bytes changed = whole;
  changed.back() ^= 1;
  const std::string damaged = folder_.write("damaged.safetensors", changed);
  const std::string missing = folder_.file("missing.safetensors");
  const std::string picture_file = picture("picture.png", 28, 28);
  for (const char* subcommand : {"info", "verify", "bench"}) {
    SCOPED_TRACE(subcommand);
    for (const std::string& path : {cut, empty, damaged, missing, picture_file}) {
      SCOPED_TRACE(path);
      expect_refusal(run_command({subcommand, path}), 3, {path, ";"});
    }
    expect_refusal(run_command({subcommand, folder_.path()}), 2, {folder_.path(), "not a regular file"});
  }
}

}  // namespace
}  // namespace bitplane::testing
