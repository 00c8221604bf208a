// SPDX-License-Identifier: Apache-2.0
#include "trainer/checkpoint/checkpoint.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <functional>
#include <limits>

#include "trainer/checkpoint/file.h"
#include "trainer/config/changes.h"
#include "trainer/run/build.h"
#include "trainer/run_support.h"
#include "trainer/trainer_support.h"

namespace bitplane::train {
namespace {

using testing::message_of;

/// A net and an optimizer in some state that is not the start.
struct State {
  Config config = testing::small_config("unused");
  std::unique_ptr<Module> net = build_run_net(config, {28, 28, 1}, 10);
  std::unique_ptr<Optimizer> optimizer = build_optimizer(config, *net);
  std::unique_ptr<WeightAverage> average = std::make_unique<WeightAverage>(*net, 0.9);
  RunIdentity identity{.settings = deciding_settings(config)};
  Task task{.input = {28, 28, 1},
            .labels = {"a", "b\"", "ü", "d", "e", "f", "g", "h", "i", "j"},
            .preprocessing = {.mean = {0.25F}, .std = {0.5F}},
            .sample = std::vector<std::uint8_t>(784, 9)};
  Progress progress{.step = 12,
                    .epoch = 1,
                    .step_in_epoch = 3,
                    .seen = 96,
                    .correct = 41,
                    .loss_sum = 0.1 + 0.2,
                    .test_accuracy = 0.5,
                    .best_accuracy = 0.625,
                    .best_epoch = 1};

  explicit State(std::uint64_t seed) {
    for (const NamedParameter& p : named_parameters(*net))
      randomize(p.parameter->variable.mutable_value(), seed++);
    for (const NamedBuffer& b : named_buffers(*net)) randomize(*b.buffer, seed++);
    optimizer->visit_state([&](const std::string&, Tensor& tensor) { randomize(tensor, seed++); });
    average->visit_state([&](const std::string&, Tensor& tensor) { randomize(tensor, seed++); });
  }
  static void randomize(Tensor& tensor, std::uint64_t seed) {
    tensor.copy_from(testing::random_tensor(tensor.shape(), seed));
  }
  [[nodiscard]] std::vector<std::byte> bytes() {
    return serialize_checkpoint({.net = *net,
                                 .optimizer = *optimizer,
                                 .average = average.get(),
                                 .task = task,
                                 .progress = progress,
                                 .identity = identity});
  }
  void save(const std::string& path) {
    const auto content = bytes();
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(content.size()));
  }
};

TEST(Checkpoint, EverythingComesBack) {
  const testing::TemporaryFolder folder;
  State saved(1), other(1000);
  EXPECT_NE(saved.bytes(), other.bytes());
  saved.save(folder / "c.safetensors");
  const CheckpointReader reader(folder / "c.safetensors");
  EXPECT_EQ(reader.progress(), saved.progress);
  EXPECT_EQ(reader.task(), saved.task);
  EXPECT_EQ(reader.identity(), saved.identity);
  reader.restore(*other.net);
  reader.restore(*other.optimizer);
  reader.restore(*other.average);
  EXPECT_EQ(saved.bytes(), other.bytes());

  reader.restore_averaged(*other.net);
  const auto trained = named_parameters(*saved.net), averaged = named_parameters(*other.net);
  std::size_t seen = 0;
  saved.average->visit_state([&](const std::string& name, Tensor& tensor) {
    for (std::size_t i = 0; i < averaged.size(); ++i) {
      if (averaged[i].name != name) continue;
      ++seen;
      EXPECT_EQ(testing::bits_of(averaged[i].parameter->variable.value()), testing::bits_of(tensor));
      EXPECT_NE(testing::bits_of(trained[i].parameter->variable.value()), testing::bits_of(tensor));
    }
  });
  EXPECT_EQ(seen, averaged.size());
}

TEST(Checkpoint, AFileCutAnywhereIsRefusedByName) {
  const testing::TemporaryFolder folder;
  State state(1);
  const auto whole = state.bytes();
  for (const std::size_t keep :
       {std::size_t{0}, std::size_t{7}, std::size_t{100}, whole.size() / 2, whole.size() - 1}) {
    const std::string path = folder / ("cut" + std::to_string(keep));
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(whole.data()), static_cast<std::streamsize>(keep));
    const auto message = message_of<cli::CommandError>([&] { const CheckpointReader reader(path); });
    EXPECT_NE(message.find(path), std::string::npos) << "cut at " << keep << ": '" << message << "'";
  }
  const auto missing = message_of<cli::CommandError>([&] { const CheckpointReader reader(folder / "none"); });
  EXPECT_NE(missing.find("none"), std::string::npos);
}

/// What the reader says of a checkpoint whose container was changed.
std::string refusal_of(const std::string& path, const std::function<void(engine::Container&)>& change) {
  State state(1);
  const auto whole = state.bytes();
  engine::Container container = cli::take(engine::parse_safetensors(whole));
  change(container);
  const auto changed = cli::take(engine::serialize_safetensors(container));
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(changed.data()), static_cast<std::streamsize>(changed.size()));
  return message_of<cli::CommandError>([&] { const CheckpointReader reader(path); });
}

TEST(Checkpoint, DamagedMetadataIsNamed) {
  const testing::TemporaryFolder folder;
  const std::string path = folder / "c.safetensors";
  for (const char* key : {"progress", "task", "settings"}) {
    SCOPED_TRACE(key);
    EXPECT_EQ(refusal_of(path, [&](engine::Container& c) { c.metadata.erase(key); }),
              path + ": it has no '" + key + "'");
  }
  for (const char* text : {"{", "[]", "{}", "7", R"({"step": "x"})"}) {
    SCOPED_TRACE(text);
    EXPECT_EQ(refusal_of(path, [&](engine::Container& c) { c.metadata["progress"] = text; }),
              path + ": its 'progress' is damaged");
    EXPECT_EQ(refusal_of(path, [&](engine::Container& c) { c.metadata["task"] = text; }),
              path + ": its 'task' is damaged");
  }
}

TEST(Checkpoint, NumbersThatAreNotFiniteAreRefused) {
  const testing::TemporaryFolder folder;
  const std::string path = folder / "c.safetensors";
  for (const char* name : {"parameter.conv1.weight", "buffer.bn1.running_mean", "average.conv1.weight"}) {
    SCOPED_TRACE(name);
    std::vector<std::byte> spoiled;
    const auto spoil = [&](engine::Container& container) {
      for (engine::TensorEntry& entry : container.tensors) {
        if (entry.name != name) continue;
        spoiled.assign(entry.tensor.bytes.begin(), entry.tensor.bytes.end());
        const float bad = std::numeric_limits<float>::quiet_NaN();
        std::memcpy(spoiled.data() + sizeof(float), &bad, sizeof(float));
        entry.tensor.bytes = spoiled;
      }
    };
    EXPECT_EQ(refusal_of(path, spoil), path + ": tensor '" + name + "' holds numbers that are not finite");
  }
}

TEST(Checkpoint, AnotherNetIsRefusedWithBothShapes) {
  const testing::TemporaryFolder folder;
  State state(1);
  state.save(folder / "c.safetensors");
  const CheckpointReader reader(folder / "c.safetensors");
  const auto wider = build_run_net(state.config, {32, 32, 3}, 10);
  const auto message = message_of<cli::CommandError>([&] { reader.restore(*wider); });
  EXPECT_NE(message.find("conv1.weight"), std::string::npos) << message;
  EXPECT_NE(message.find("[16, 3, 3, 1]"), std::string::npos) << message;
  EXPECT_NE(message.find("[16, 3, 3, 3]"), std::string::npos) << message;
  const auto more_bits = build_run_net(testing::small_config("unused", 3, 3), {28, 28, 1}, 10);
  EXPECT_THROW(reader.restore(*more_bits), cli::CommandError);
}

TEST(Checkpoint, SaysOfWhichNetItIs) {
  const testing::TemporaryFolder folder;
  State state(1);
  state.save(folder / "c.safetensors");
  const CheckpointReader reader(folder / "c.safetensors");
  Config config = state.config;
  config.data_dir = "elsewhere";
  config.threads += 1;
  config.checkpoint_every += 1;
  reader.refuse_other_settings(config);
  const auto refusal = [&] {
    return message_of<cli::CommandError>([&] { reader.refuse_other_settings(config); });
  };
  config.epochs += 1;
  EXPECT_NE(refusal().find("is a checkpoint of net cnn-small, method lq-nets, 2/2 bits"), std::string::npos)
      << refusal();
  EXPECT_NE(refusal().find("epochs was 2 and is 3"), std::string::npos) << refusal();
  config.net = "resnet-20";
  EXPECT_NE(refusal().find("net was 'cnn-small' and is 'resnet-20'"), std::string::npos) << refusal();
  config = state.config;
  config.options["alternations"] = 3;
  EXPECT_NE(refusal().find("options was"), std::string::npos) << refusal();
}

}  // namespace
}  // namespace bitplane::train
