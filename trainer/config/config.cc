// SPDX-License-Identifier: Apache-2.0
#include "trainer/config/config.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "engine/cli/shared/input_files.h"
#include "engine/cli/shared/json_output.h"
#include "engine/cli/shared/number_text.h"
#include "engine/data/dataset.h"
#include "engine/data/nearest_name.h"
#include "trainer/data/preprocessing.h"
#include "trainer/nets/net.h"
#include "trainer/nets/net_file.h"
#include "trainer/optim/optimizer.h"
#include "trainer/optim/parameter_rules.h"
#include "trainer/optim/schedule.h"
#include "trainer/tensor/precision.h"

namespace bitplane::train {
namespace {

using engine::data::unknown_name_message;
using nlohmann::json;

constexpr FieldEffect kNoEffect = FieldEffect::OnSurroundings;
const auto kConfigFields = std::to_array<ConfigField>({
    {"data", "data set (trainer list datasets)", &Config::data},
    {"data_dir", "its folder, when it is not the usual one", &Config::data_dir, {}, kNoEffect},
    {"crop_padding",
     "augmentation: black pixels around a training picture before a window of its size is cut out anywhere "
     "(usual for 32x32: 4)",
     &Config::crop_padding,
     {0, 1024}},
    {"crop_area",
     "augmentation: a random part of at least this share of the area, scaled to the net's size (usual for "
     "ImageNet: 0.08); 0: none",
     &Config::crop_area,
     {0, 1}},
    {"flip",
     "augmentation: probability of a left-right flip (usual for photographs: 0.5)",
     &Config::flip,
     {0, 1}},
    {"brightness",
     "augmentation: strength of random brightness (usual: 0.4); 0: none",
     &Config::brightness,
     {0, 10}},
    {"contrast", "augmentation: strength of random contrast", &Config::contrast, {0, 10}},
    {"saturation", "augmentation: strength of random saturation", &Config::saturation, {0, 10}},
    {"normalize", "from bytes to the net's input: channel, pixel-mean or pixel-mean-128 (docs/DATA.md)",
     &Config::normalize},
    {"loaders",
     "threads that prepare pictures ahead; 0: none. The bits do not depend on it",
     &Config::loaders,
     {0, 64},
     kNoEffect},
    {"net", "net (trainer list nets), or a .json file that describes one (docs/NETS.md)", &Config::net},
    {"width", "times the net's hidden channels, each rounded to a multiple of 4; 1: as published",
     &Config::width, kWidths},
    {"method", "method (trainer list methods)", &Config::method},
    {"wbits", "weight bits: 1 to 8, or 32 = float", &Config::wbits},
    {"abits", "activation bits: 1 to 8, or 32 = float", &Config::abits},
    {"first_last",
     "first and last layer: float, or 8 = 8-bit weights on the picture's bytes and on 8-bit activations",
     &Config::first_last},
    {"epochs",
     "passes over the training pictures; 0: the net is evaluated as it starts",
     &Config::epochs,
     {0, 1e6}},
    {"batch", "pictures per step", &Config::batch, {1, 1 << 20}},
    {"lr", "learning rate; the peak of one-cycle", &Config::lr, {1e-12, 1e6}},
    {"schedule", "how the learning rate moves (trainer list schedules)", &Config::schedule},
    {"warmup", "share of the run that rises to lr; one-cycle 0.3, else 0", &Config::warmup, {0, 1}},
    {"drops", "step: epochs after which lr drops, as 60,80; empty: at 1/2 and 3/4", &Config::drops},
    {"drop_factor", "step: what a drop multiplies lr with", &Config::drop_factor, {0, 1}},
    {"power", "polynomial: lr * (1 - share of the run)^power", &Config::power, {0.01, 100}},
    {"start_divisor", "one-cycle: starts at lr / this", &Config::start_divisor, {1, 1e12}},
    {"end_divisor", "one-cycle: ends at its start / this", &Config::end_divisor, {1, 1e12}},
    {"optimizer", "what makes a step (trainer list optimizers)", &Config::optimizer},
    {"momentum", "share of the last step's velocity that stays", &Config::momentum, {0, 0.9999}},
    {"weight_decay", "L2 decay of the weights", &Config::weight_decay, {0, 1}},
    {"beta2",
     "adam: share of the old mean square that stays (beta1 is momentum)",
     &Config::beta2,
     {0, 0.999999}},
    {"epsilon", "adam: added to the root of the mean square", &Config::epsilon, {1e-30, 1}},
    {"groups", "factors of lr and weight_decay, as 'fc*: lr=0.01; role=quantizer: lr=0.01, decay=0'",
     &Config::groups},
    {"init_from", "safetensors file with PyTorch's names to start from (weights, running statistics)",
     &Config::init_from},
    {"init_missing", "where that file does not fit the net: refuse, or keep the net's own start",
     &Config::init_missing},
    {"teacher", "run folder of a float net whose logits are learned too (distillation); empty: none",
     &Config::teacher},
    {"teacher_share",
     "share of the teacher's logits (mean squared error) in the loss, the labels have the rest",
     &Config::teacher_share,
     {0, 1}},
    {"label_smoothing",
     "share of the target that all classes get alike",
     &Config::label_smoothing,
     {0, 0.999}},
    {"clip_norm",
     "gradients are scaled down to this Euclidean norm; 0: never",
     &Config::clip_norm,
     {0, 1e30}},
    {"ema", "decay of a moving average of the weights, as 0.999; 0: none", &Config::ema, {0, 0.999999}},
    {"weights", "what is evaluated and exported: trained, or averaged (by ema; then the default)",
     &Config::weights},
    {"precision", "of the large products: float32, or bf16 where the CPU has it", &Config::precision},
    {"seed", "same seed, same bits, whatever the threads", &Config::seed},
    {"threads", "0: as many as the machine has", &Config::threads, {0, cli::kMaxThreads}, kNoEffect},
    {"checkpoint_every",
     "steps between checkpoints; 0: one per epoch",
     &Config::checkpoint_every,
     {},
     kNoEffect},
    {"out", "the run folder", &Config::out, {}, kNoEffect},
});
constexpr std::string_view kOptionsKey = "options";

[[noreturn]] void wrong_type(std::string_view key, const char* wanted, const json& value) {
  throw std::invalid_argument("'" + std::string(key) + "' is " + value.dump() + ": it must be " + wanted);
}

void set_from_json(const ConfigField& field, const json& value, Config& config) {
  if (const auto* text = std::get_if<std::string Config::*>(&field.member)) {
    if (!value.is_string()) wrong_type(field.name, "a string", value);
    config.*(*text) = value.get<std::string>();
  } else if (const auto* number = std::get_if<double Config::*>(&field.member)) {
    if (!value.is_number()) wrong_type(field.name, "a number", value);
    config.*(*number) = value.get<double>();
  } else {
    const bool whole =
        value.is_number_unsigned() || (value.is_number_integer() && value.get<std::int64_t>() >= 0);
    if (!whole) wrong_type(field.name, "a whole number of at least 0", value);
    config.*std::get<std::uint64_t Config::*>(field.member) = value.get<std::uint64_t>();
  }
}

MethodOptionValues options_from_json(const json& value) {
  if (!value.is_object()) wrong_type(kOptionsKey, "an object of numbers and names", value);
  MethodOptionValues options;
  for (const auto& [name, given] : value.items()) {
    if (given.is_string()) {
      options[name] = given.get<std::string>();
    } else if (given.is_number()) {
      options[name] = given.get<double>();
    } else {
      wrong_type(name, "a number or a name", given);
    }
  }
  return options;
}

/// Whole numbers without a decimal point.
nlohmann::ordered_json option_to_json(const OptionValue& value) {
  if (value.name() != nullptr) return *value.name();
  constexpr double kLargestWhole = 1e15;
  const double number = *value.number();
  if (number == std::floor(number) && std::fabs(number) <= kLargestWhole) {
    return static_cast<std::int64_t>(number);
  }
  return number;
}

const ConfigField& find_field(const std::string& key) {
  std::vector<std::string_view> known;
  for (const ConfigField& field : kConfigFields) {
    if (field.name == key) return field;
    known.push_back(field.name);
  }
  known.push_back(kOptionsKey);
  throw std::invalid_argument(unknown_name_message("config key", key, known));
}

void merge(const PartialConfig& from, Config& into) {
  for (const ConfigField& field : kConfigFields) {
    if (!from.given.contains(field.name)) continue;
    std::visit([&](auto member) { into.*member = from.values.*member; }, field.member);
  }
  for (const auto& [name, value] : from.values.options) into.options[name] = value;
}

/// Of a file: what belongs to a setting that a flag replaces goes with it.
PartialConfig without_replaced(PartialConfig file, const PartialConfig& flags) {
  if (flags.given.contains("schedule") && flags.values.schedule != file.values.schedule)
    file.given.erase("warmup");
  if (flags.given.contains("ema") && (flags.values.ema != 0.0) != (file.values.ema != 0.0))
    file.given.erase("weights");
  return file;
}

template <class Infos>
void check_name(const char* kind, const std::string& name, const Infos& infos) {
  std::vector<std::string_view> known;
  for (const auto& info : infos) {
    if (info.name == name) return;
    known.push_back(info.name);
  }
  throw std::invalid_argument(unknown_name_message(kind, name, known));
}

void check_range(const ConfigField& field, const Config& config) {
  double value = 0;
  if (const auto* real = std::get_if<double Config::*>(&field.member)) {
    value = config.*(*real);
  } else if (const auto* whole = std::get_if<std::uint64_t Config::*>(&field.member)) {
    value = static_cast<double>(config.*(*whole));
  }
  if (value >= field.range.least && value <= field.range.most) return;
  throw std::invalid_argument(std::string(field.name) + " is " + cli::shortest(value) + ": it goes from " +
                              cli::range_text(field.range));
}

void check_choice(const char* name, const std::string& value, std::span<const std::string_view> known) {
  if (std::find(known.begin(), known.end(), value) == known.end()) {
    throw std::invalid_argument(unknown_name_message(name, value, known));
  }
}

void check_weights(const Config& config) {
  check_choice("weights", config.weights, std::array{kTrainedWeights, kAveragedWeights});
  if (config.weights == kAveragedWeights && config.ema == 0.0) {
    throw std::invalid_argument("weights is 'averaged', but there is no average: give ema, as 0.999");
  }
}

void check_first_last(const Config& config) {
  check_choice("first_last", config.first_last, std::array{kFirstLastFloat, kFirstLastBytes});
  if (config.first_last == kFirstLastBytes && config.normalize != "channel") {
    throw std::invalid_argument(
        "first_last 8 multiplies bytes minus one number per channel: it needs normalize channel, not '" +
        config.normalize + "'");
  }
}

/// It goes into JSON.
void require_utf8(std::string_view name, const std::string& text) {
  if (cli::is_utf8(text)) return;
  throw std::invalid_argument(std::string(name) + " is '" + text + "', which is not UTF-8 text: rename it");
}

void check_text(const ConfigField& field, const Config& config) {
  if (const auto* text = std::get_if<std::string Config::*>(&field.member))
    require_utf8(field.name, config.*(*text));
}

void check_values(const Config& config) {
  for (const ConfigField& field : kConfigFields) {
    check_range(field, config);
    check_text(field, config);
  }
  check_name("data set", config.data, engine::data::datasets());
  if (!is_net_text(config.net)) check_name("net", config.net, nets());
  check_name("schedule", config.schedule, schedules());
  check_name("optimizer", config.optimizer, optimizers());
  check_name("precision", config.precision, kPrecisions);
  (void)drop_epochs(config);
  (void)parse_parameter_rules(config.groups);
  check_weights(config);
  check_choice("init_missing", config.init_missing, std::array{kRefuseMissing, kKeepMissing});
  check_name("normalization", config.normalize, normalizations());
  check_first_last(config);
  if (config.crop_padding > 0 && config.crop_area > 0)
    throw std::invalid_argument(
        "crop_padding and crop_area are two kinds of the same crop: give one of them");
}

}  // namespace

std::span<const ConfigField> config_fields() noexcept {
  return kConfigFields;
}

std::string flag_of(const ConfigField& field) {
  std::string flag = "--" + std::string(field.name);
  for (char& c : flag) c = c == '_' ? '-' : c;
  return flag;
}

PartialConfig config_from_json(const json& source) {
  if (!source.is_object()) throw std::invalid_argument("a config is a JSON object of keys and values");
  PartialConfig partial;
  for (const auto& [key, value] : source.items()) {
    if (key == kOptionsKey) {
      partial.values.options = options_from_json(value);
      continue;
    }
    set_from_json(find_field(key), value, partial.values);
    partial.given.insert(key);
  }
  return partial;
}

PartialConfig read_config_file(const std::string& path) {
  const json source = cli::read_json_object(path);
  try {
    return config_from_json(source);
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument(path + ": " + error.what());
  }
}

nlohmann::ordered_json config_to_json(const Config& config) {
  nlohmann::ordered_json json;
  for (const ConfigField& field : kConfigFields) {
    std::visit([&](auto member) { json[std::string(field.name)] = config.*member; }, field.member);
  }
  json[std::string(kOptionsKey)] = nlohmann::ordered_json::object();
  for (const auto& [name, value] : config.options)
    json[std::string(kOptionsKey)][name] = option_to_json(value);
  return json;
}

Config resolve_config(const PartialConfig& whole_file, const PartialConfig& flags) {
  const PartialConfig file = without_replaced(whole_file, flags);
  Config named;
  merge(file, named);
  merge(flags, named);
  const MethodDefaults& defaults = find_method(named.method).defaults;

  Config config;
  config.wbits = defaults.wbits;
  config.abits = defaults.abits;
  config.lr = defaults.lr;
  config.weight_decay = defaults.weight_decay;
  if (named.ema != 0.0) config.weights = kAveragedWeights;
  if (const ScheduleInfo* schedule = find_schedule(named.schedule)) config.warmup = schedule->default_warmup;
  merge(file, config);
  merge(flags, config);
  if (is_net_file(config.net)) config.net = read_net_file(config.net);
  check_values(config);
  config.options = resolve_method(method_settings(config)).options;
  return config;
}

MethodSettings method_settings(const Config& config) {
  return {.method = config.method, .wbits = config.wbits, .abits = config.abits, .options = config.options};
}

std::string absolute_path(const std::string& path) {
  if (path.empty()) return path;
  std::string absolute = std::filesystem::absolute(path).lexically_normal().string();
  require_utf8("a path", absolute);
  return absolute;
}

std::vector<std::uint64_t> drop_epochs(const Config& config) {
  std::vector<std::uint64_t> epochs;
  std::istringstream parts(config.drops);
  for (std::string part; std::getline(parts, part, ',');) {
    std::uint64_t epoch = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), epoch);
    const bool ascends = epochs.empty() || epoch > epochs.back();
    if (error != std::errc() || end != part.data() + part.size() || !ascends || epoch == 0 ||
        epoch >= config.epochs) {
      throw std::invalid_argument("drops is '" + config.drops +
                                  "': give ascending epochs between 0 and epochs (" +
                                  std::to_string(config.epochs) + "), as 60,80");
    }
    epochs.push_back(epoch);
  }
  return epochs;
}

}  // namespace bitplane::train
