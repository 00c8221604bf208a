// SPDX-License-Identifier: Apache-2.0
//
// Procedures: methods that start from a float net and go through stages. A stage is an ordinary run that
// begins with the state of the stage before it, changed by what the method prepares there:
//
//   DIR/procedure.json        the method, the settings, which stages are done
//   DIR/1-NAME, DIR/2-NAME    one run folder per stage (run/run_folder.h)
//   DIR/2-NAME.prepared.json  what its preparation took over and found
//
//   stage = settings that differ + begin_stage() of each weight quantizer + prepare() + epochs, possibly none
//
// procedures() is the one list: a new procedure is a file here and a row in it.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "trainer/config/config.h"
#include "trainer/quantizers/options.h"
#include "trainer/run/training.h"

namespace bitplane::train {

struct LoadedRun;

/// Of the learning rate: what a last stage that only fine-tunes has.
inline constexpr double kFineTuneShare = 0.1;

/// What a stage's preparation sees and changes.
struct StageStart {
  const StartPoint& point;  ///< its net holds the state of the stage before, by name
  Module& before;           ///< the net of that stage, or the float net
  std::uint64_t seed;       ///< the procedure's; the stage's own is the config's
  /// A sentence for people, now and then.
  std::function<void(const std::string&)> say;
};

/// Changes the net before the first step; returns what it found, for the stage's .prepared.json. A function
/// of the start alone: it runs again when it is interrupted.
using PrepareStage = std::function<nlohmann::ordered_json(const StageStart&)>;

struct Stage {
  std::string name;                       ///< unique in its procedure; letters, digits, '-'
  std::string description;                ///< a few words
  std::function<void(Config&)> change{};  ///< from the procedure's settings to those of the stage
  PrepareStage prepare{};                 ///< none: the state of the stage before as it is
};

struct ProcedureInfo {
  std::string_view method;  ///< in methods()
  std::string_view description;
  /// Whether it ends with bits on both sides also where the method alone takes float weights or activations.
  bool quantizes_both = false;
  /// Settings that differ from the method's defaults where nobody gives them; others are the float run's.
  void (*defaults)(Config&);
  /// Of the procedure itself, beside those of the method's quantizers; stages read them from config.options.
  std::span<const OptionInfo> options;
  /// Of a procedure that also goes on from a finished run of its own method: throws std::invalid_argument
  /// where `request` cannot follow from that run, and sets the options of the procedure that depend on it.
  /// nullptr: it starts from float runs alone.
  void (*go_on)(const LoadedRun& from, const Config& request, OptionValues& options) = nullptr;
  /// In order; at least one. `request`: what the last stage shall be, resolved.
  std::vector<Stage> (*stages)(const Config& request, const OptionValues& options);
  /// The rate where nobody gives one: the float run's divided by this; 0: as `defaults` has it.
  unsigned lr_divisor = 0;
  /// Settings and options that must be alike in all stages, beside those of every procedure.
  std::span<const std::string_view> shared = {};
};

/// The one list.
[[nodiscard]] std::span<const ProcedureInfo* const> procedures() noexcept;
/// Throws std::invalid_argument for unknown methods and for methods that are trained from the start, with the
/// methods that have a procedure.
[[nodiscard]] const ProcedureInfo& find_procedure(std::string_view method);

}  // namespace bitplane::train
