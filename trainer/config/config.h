// SPDX-License-Identifier: Apache-2.0
//
// Everything that decides a training run, as one struct; kConfigFields is the one list of its fields: the
// JSON keys, the command-line flags and the help come from it.
//
// Values are found in this order: flag, config file, the method's defaults, the defaults here. What was found
// is stored in the run folder, so that a run says completely how it came about.
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <nlohmann/json.hpp>

#include "engine/cli/shared/numbers.h"
#include "trainer/methods/method.h"

namespace bitplane::train {

/// What `width` takes.
inline constexpr cli::RealRange kWidths{0.01, 16};

/// Values of first_last.
inline constexpr std::string_view kFirstLastFloat = "float", kFirstLastBytes = "8";

struct Config {
  std::string data = "fashion-mnist", data_dir = {};
  std::uint64_t crop_padding = 0;
  double crop_area = 0, flip = 0, brightness = 0, contrast = 0, saturation = 0;
  std::string normalize = "channel";
  std::uint64_t loaders = 1;                          ///< threads that prepare pictures
  std::string net = "cnn-small", method = "lq-nets";  ///< net: a name, or the text of a net file
  double width = 1.0;
  std::uint64_t wbits = 2, abits = 2;
  std::string first_last = std::string(kFirstLastFloat);
  std::uint64_t epochs = 5, batch = 128;
  double lr = 0.1;
  std::string schedule = "one-cycle";
  double warmup = 0.3;  ///< as the schedule's own default
  std::string drops = {};
  double drop_factor = 0.1, power = 1.0, start_divisor = 25.0, end_divisor = 1e4;
  std::string optimizer = "sgd";
  double momentum = 0.9, weight_decay = 5e-4, beta2 = 0.999, epsilon = 1e-8;
  std::string groups = {};
  std::string init_from = {}, init_missing = "refuse";
  std::string teacher = {};  ///< a run folder
  double teacher_share = 0.5;
  double label_smoothing = 0.0;
  double clip_norm = 0.0, ema = 0.0;  ///< 0: off
  std::string weights = "trained";    ///< kTrainedWeights or kAveragedWeights
  std::string precision = "float32";
  std::uint64_t seed = 1;
  std::uint64_t threads = 0;           ///< 0: as many as the machine has
  std::uint64_t checkpoint_every = 0;  ///< steps; 0: at the end of each epoch only
  std::string out = {};
  MethodOptionValues options = {};
  friend bool operator==(const Config&, const Config&) = default;
};

/// Which weights are evaluated and exported: those of the last step, or their moving average (`ema`).
inline constexpr std::string_view kTrainedWeights = "trained", kAveragedWeights = "averaged";

/// What `init_from` does where the file does not fit: the values of init_missing.
inline constexpr std::string_view kRefuseMissing = "refuse", kKeepMissing = "keep";

using ConfigMember = std::variant<std::string Config::*, std::uint64_t Config::*, double Config::*>;

/// Whether a setting decides what a run computes, or only where and how fast.
enum class FieldEffect : std::uint8_t { OnBits, OnSurroundings };

struct ConfigField {
  std::string_view name;  ///< JSON key; the flag is "--" + name with '-' for '_'
  std::string_view help;
  ConfigMember member;
  cli::RealRange range = {};  ///< of numbers
  FieldEffect effect = FieldEffect::OnBits;
};

/// All fields but `options`.
[[nodiscard]] std::span<const ConfigField> config_fields() noexcept;
/// "--weight-decay"
[[nodiscard]] std::string flag_of(const ConfigField& field);

/// Some fields of a config: those that a file or flags gave.
struct PartialConfig {
  Config values;
  std::set<std::string, std::less<>> given;  ///< names of fields; options count one by one, in values.options
};

/// Throws std::invalid_argument for unknown keys (with the nearest known name) and values of the wrong type.
[[nodiscard]] PartialConfig config_from_json(const nlohmann::json& json);
/// The same from a file; messages hold its path. Throws cli::CommandError for a file that is no JSON object.
[[nodiscard]] PartialConfig read_config_file(const std::string& path);
[[nodiscard]] nlohmann::ordered_json config_to_json(const Config& config);

/// Merges, fills the method's defaults and checks every value but `out`. Where flags choose another schedule
/// than the file, or switch the average on or off, the file's warm-up and choice of weights do not count.
/// Throws std::invalid_argument.
[[nodiscard]] Config resolve_config(const PartialConfig& file, const PartialConfig& flags);

[[nodiscard]] MethodSettings method_settings(const Config& config);

/// Of a path that a run writes down, so that `trainer resume` finds it from another folder; empty stays
/// empty. Throws std::invalid_argument where it is not UTF-8.
[[nodiscard]] std::string absolute_path(const std::string& path);

/// config.drops as epochs, ascending. Throws std::invalid_argument for what is no list of epochs of the run.
[[nodiscard]] std::vector<std::uint64_t> drop_epochs(const Config& config);

}  // namespace bitplane::train
