// SPDX-License-Identifier: Apache-2.0
#include "trainer/export/untrained.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "engine/cli/shared/version.h"
#include "engine/data/nearest_name.h"
#include "trainer/data/preprocessing.h"
#include "trainer/evaluation/evaluator.h"
#include "trainer/export/describe.h"
#include "trainer/math/random.h"
#include "trainer/run/build.h"

namespace bitplane::train {
namespace {

/// Statistics keep 0.9 of themselves in a pass: little is left of where they started.
constexpr std::size_t kPasses = 20, kPictures = 2;

struct NamedCodes {
  std::string_view name, method;
};
constexpr std::array<NamedCodes, 2> kCodes{{{"uniform", "dorefa"}, {"learned", "lq-nets"}}};

std::string method_of(const UntrainedModel& model) {
  if (model.wbits == kFloatBits && model.abits == kFloatBits) return "float";
  std::vector<std::string_view> known;
  for (const NamedCodes& codes : kCodes) {
    if (codes.name == model.codes) return std::string(codes.method);
    known.push_back(codes.name);
  }
  throw std::invalid_argument(engine::data::unknown_name_message("codes", model.codes, known));
}

Config config_of(const UntrainedModel& model) {
  PartialConfig given;
  given.values.net = model.net;
  given.values.method = method_of(model);
  given.values.wbits = model.wbits;
  given.values.abits = model.abits;
  given.values.first_last = model.first_last;
  given.values.width = model.width;
  given.values.seed = model.seed;
  given.given = {"net", "method", "wbits", "abits", "first_last", "width", "seed"};
  return resolve_config({}, given);
}

PictureShape input_of(const UntrainedModel& model) {
  const PictureShape& published = find_net(model.net).input;
  constexpr std::size_t kLeast = 32;
  const auto size = [&](std::size_t side) { return model.size != 0 ? model.size : std::max(side, kLeast); };
  return {size(published.height), size(published.width), 3};
}

/// Grey bytes with a colour and a light of their own per picture, so that pictures differ.
std::vector<std::uint8_t> random_picture(const PictureShape& shape, Random& random) {
  std::vector<std::uint8_t> bytes(shape.height * shape.width * shape.channels);
  const std::uint32_t least = random.below(64), span = 1 + random.below(192);
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(least + random.below(span));
  return bytes;
}

void settle(Module& net, const Config& config, const Task& task, Random& random) {
  Backend backend({.features = run_features(), .threads = thread_count(config)});
  const Normalizer normalizer(task.preprocessing);
  const std::size_t picture_size = task.sample.size();
  for (std::size_t pass = 0; pass < kPasses; ++pass) {
    Tensor pictures({kPictures, task.input.height, task.input.width, task.input.channels});
    for (std::size_t p = 0; p < kPictures; ++p)
      normalizer.apply(random_picture(task.input, random), pictures.mutable_data() + p * picture_size);
    const Context ctx{
        .backend = backend, .mode = Mode::Train, .grad = GradMode::Off, .seed = config.seed, .step = pass};
    static_cast<void>(net.forward(ctx, Variable(pictures)));
  }
}

}  // namespace

engine::ModelSpec make_untrained(const UntrainedModel& model) {
  const Config config = config_of(model);
  const NetInfo& info = find_net(model.net);
  const std::size_t classes = model.classes != 0 ? model.classes : info.classes;
  Random random(model.seed, stream_of("pictures of an untrained model"));
  Task task{.input = input_of(model),
            .labels = {},
            .preprocessing = run_preprocessing(
                config, {.mean = {0.485F, 0.456F, 0.406F}, .std = {0.229F, 0.224F, 0.225F}}),
            .sample = {}};
  task.sample = random_picture(task.input, random);
  const auto net = build_run_net(config, task.input, classes, task.preprocessing);
  settle(*net, config, task, random);

  engine::ModelSpec spec = describe_net(layer_graph(*net), task);
  spec.name = model.net + " " + config.method + " " + std::to_string(config.wbits) + "/" +
              std::to_string(config.abits) + " untrained";
  spec.provenance = {{"net", model.net},
                     {"method", config.method},
                     {"codes", model.codes},
                     {"weight_bits", std::to_string(config.wbits)},
                     {"activation_bits", std::to_string(config.abits)},
                     {"first_last", config.first_last},
                     {"data", "none: untrained"},
                     {"seed", std::to_string(config.seed)},
                     {"trainer_version", std::string(cli::version())}};
  const Evaluator evaluator(spec, run_features());
  Evaluator::Worker worker(evaluator);
  evaluator.run(task.sample, worker);
  spec.golden.input = task.sample;
  spec.golden.output.assign(worker.logits().begin(), worker.logits().end());
  return spec;
}

}  // namespace bitplane::train
