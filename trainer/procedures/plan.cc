// SPDX-License-Identifier: Apache-2.0
#include "trainer/procedures/plan.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <set>
#include <stdexcept>
#include <utility>

#include "engine/data/nearest_name.h"
#include "trainer/config/changes.h"
#include "trainer/nets/net_file.h"
#include "trainer/run/net_state.h"

namespace bitplane::train {
namespace {

/// What a stage computes on, and with what it started: the float run's, never given.
constexpr std::array<std::string_view, 4> kOfFloatRun{"data", "net", "width", "normalize"};
/// How a run starts without a float run.
constexpr std::array<std::string_view, 2> kOfFirstRun{"init_from", "init_missing"};
/// Given once, for all stages: one process loads the data for all of them.
constexpr std::array<std::string_view, 3> kOfProcedure{"method", "data_dir", "out"};
/// What each stage has for itself or the method has a default for.
constexpr std::array<std::string_view, 13> kNotOfFloatRun{
    "method",    "wbits",        "abits",   "lr",  "weight_decay", "epochs",          "drops",
    "init_from", "init_missing", "teacher", "out", "groups",       "checkpoint_every"};

template <class List>
bool contains(const List& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

void refuse_other_task(const Config& from, const PartialConfig& flags) {
  for (const ConfigField& field : config_fields()) {
    if (!contains(kOfFloatRun, field.name) || !flags.given.contains(field.name)) continue;
    const bool same =
        std::visit([&](auto member) { return flags.values.*member == from.*member; }, field.member);
    if (same) continue;
    const std::string title = std::visit(
        [&](auto member) {
          if constexpr (std::is_same_v<decltype(member), std::string Config::*>) {
            return "'" + net_title(from.*member) + "'";
          } else {
            return nlohmann::json(from.*member).dump();
          }
        },
        field.member);
    throw std::invalid_argument(flag_of(field) + " is the float run's, " + title +
                                ": leave it out, or give --from a float run that was trained with another");
  }
}

/// Of a run that is no float run, but the procedure's own.
bool goes_on(const ProcedureInfo& procedure, const Config& from) {
  return procedure.go_on != nullptr && from.method == procedure.method;
}

void refuse_quantized(const ProcedureInfo& procedure, const LoadedRun& from) {
  const Config& config = from.folder.config();
  if (config.method == "float" || goes_on(procedure, config)) return;
  throw std::invalid_argument(
      "--from '" + from.folder.path() + "' is a run of method '" + config.method + "' with " +
      std::to_string(config.wbits) + "/" + std::to_string(config.abits) +
      " bits: this procedure starts from a run of method 'float'" +
      (procedure.go_on != nullptr ? ", or goes on from one of '" + std::string(procedure.method) + "'" : ""));
}

/// The settings of the run that it starts from, as if a config file had given them.
PartialConfig inherited(const ProcedureInfo& procedure, const Config& from) {
  PartialConfig file;
  file.values = from;
  if (!goes_on(procedure, from)) file.values.options.clear();
  for (const ConfigField& field : config_fields()) {
    const bool of_own_run = goes_on(procedure, from) && contains(procedure.shared, field.name);
    if (of_own_run || !contains(kNotOfFloatRun, field.name)) file.given.insert(std::string(field.name));
  }
  return file;
}

/// Without the procedure's own.
Config method_defaults(const ProcedureInfo& procedure, Config config) {
  const MethodDefaults& method = find_method(procedure.method).defaults;
  config.wbits = method.wbits;
  config.abits = method.abits;
  config.lr = method.lr;
  config.weight_decay = method.weight_decay;
  config.epochs = Config{}.epochs;
  return config;
}

/// Where neither the user nor the method's row says something.
void add_defaults(const ProcedureInfo& procedure, const PartialConfig& flags, PartialConfig& file) {
  const Config before = method_defaults(procedure, file.values);
  Config changed = procedure_defaults(procedure, file.values);
  if (flags.given.contains("schedule")) changed.warmup = before.warmup;  // it belongs to the other schedule
  for (const ConfigField& field : config_fields()) {
    std::visit(
        [&](auto member) {
          if (changed.*member == before.*member || flags.given.contains(field.name)) return;
          file.values.*member = changed.*member;
          file.given.insert(std::string(field.name));
        },
        field.member);
  }
}

/// Before the method's own refusal, which offers float.
void refuse_float_end(const ProcedureInfo& procedure, const PartialConfig& flags) {
  if (!procedure.quantizes_both) return;
  const MethodInfo& method = find_method(procedure.method);
  const BitRange weights = weight_bits(method), activations = activation_bits(method);
  const bool possible = (!flags.given.contains("wbits") || weights.contains(flags.values.wbits)) &&
                        (!flags.given.contains("abits") || activations.contains(flags.values.abits));
  if (possible) return;
  throw std::invalid_argument("the procedure of method '" + std::string(procedure.method) +
                              "' ends with bits on both sides: give wbits " + to_string(weights) +
                              " and abits " + to_string(activations));
}

/// The options of the procedure that are given, taken out of the method's.
OptionValues take_options(const ProcedureInfo& procedure, MethodOptionValues& given) {
  OptionValues own;
  for (const OptionInfo& option : procedure.options) {
    const auto found = given.find(option.name);
    if (found == given.end()) continue;
    own.insert(*found);
    given.erase(found);
  }
  return own;
}

OptionValues resolved(const ProcedureInfo& procedure, OptionValues own) {
  return resolve_options("the procedure of method '" + std::string(procedure.method) + "'", procedure.options,
                         std::move(own));
}

/// The value's text as the field's JSON type.
nlohmann::json json_value(const std::string& name, const std::string& text) {
  for (const ConfigField& field : config_fields()) {
    if (field.name != name || std::holds_alternative<std::string Config::*>(field.member)) continue;
    const nlohmann::json number = nlohmann::json::parse(text, nullptr, false);
    return number.is_discarded() ? nlohmann::json(text) : number;
  }
  return text;
}

bool is_config_field(const std::string& name) {
  return std::ranges::any_of(config_fields(), [&](const ConfigField& field) { return field.name == name; });
}

[[noreturn]] void refuse_unknown(const StageSetting& setting, const Config& config) {
  std::vector<std::string_view> names;
  std::string options;
  for (const auto& [name, value] : config.options) {
    names.push_back(name);
    options += (options.empty() ? "" : ", ") + name;
  }
  for (const ConfigField& field : config_fields()) names.push_back(field.name);
  const auto near = engine::data::nearest_name(setting.name, names);
  throw std::invalid_argument("--set " + setting.text() + ": '" + setting.name +
                              "' is no setting of `trainer quantize` and no option of method '" +
                              config.method + "'" +
                              (near ? "; did you mean '" + std::string(*near) + "'?" : "") +
                              (options.empty() ? "" : " Its options: " + options));
}

void set_special(const StageSetting& setting, const Config& config, nlohmann::json& json) {
  if (is_config_field(setting.name)) {
    const nlohmann::json field{{setting.name, json_value(setting.name, setting.value)}};
    try {
      static_cast<void>(config_from_json(field));
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument("--set " + setting.text() + ": " + error.what());
    }
    json.update(field);
    return;
  }
  if (!config.options.contains(setting.name)) refuse_unknown(setting, config);
  const OptionValue value = parse_option(setting.value);
  if (value.number() != nullptr) {
    json["options"][setting.name] = *value.number();
  } else {
    json["options"][setting.name] = *value.name();
  }
}

/// Takes the fields through the same door as a config file: types, names, ranges.
Config with_special(const Config& config, const std::string& stage, const std::vector<StageSetting>& all) {
  nlohmann::json json = nlohmann::json::object();
  for (const StageSetting& setting : all) {
    if (setting.stage == stage) set_special(setting, config, json);
  }
  try {
    return resolve_config(config_from_json(config_to_json(config)), config_from_json(json));
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument("--set for stage '" + stage + "': " + error.what());
  }
}

/// What all stages must have alike. `text`: as it was given.
void refuse_shared(const ProcedureInfo& procedure, const std::string& name, const std::string& text) {
  if (std::ranges::find(procedure.options, name, &OptionInfo::name) != procedure.options.end()) {
    throw std::invalid_argument("--set " + text + ": " + name +
                                " is an option of the whole procedure: give --option " + name + "=VALUE");
  }
  const bool shared = contains(kOfFloatRun, name) || contains(kOfFirstRun, name) ||
                      contains(kOfProcedure, name) || contains(procedure.shared, name);
  if (!shared) return;
  throw std::invalid_argument("--set " + text + ": " + name +
                              " is the same in all stages of this procedure; of its own a stage can have lr, "
                              "epochs or schedule, for example");
}

StageSetting planned_setting(const ProcedureInfo& procedure, const std::string& text) {
  StageSetting setting = parse_stage_setting(text);
  refuse_shared(procedure, setting.name, text);
  if (setting.name == "teacher") setting.value = absolute_path(setting.value);
  return setting;
}

/// Each stage sees other orders and augmentations than the stages before it and the float run: with the float
/// run's seed the epochs of each would be the float run's first ones again.
std::uint64_t stage_seed(std::uint64_t seed, std::size_t stage) {
  constexpr std::uint64_t kBetweenStages = 1000;  // seeds of runs are small: stages of two do not meet
  return seed + kBetweenStages * (stage + 1);
}

void add_stages(ProcedurePlan& plan) {
  std::vector<std::string> names;
  std::vector<Stage> stages = plan.procedure->stages(plan.request, plan.options);
  names.reserve(stages.size());
  for (const Stage& stage : stages) names.push_back(stage.name);
  const std::vector<std::string_view> known(names.begin(), names.end());
  for (const StageSetting& setting : plan.special) {
    if (!contains(known, setting.stage))
      throw std::invalid_argument(engine::data::unknown_name_message("stage", setting.stage, known));
  }
  for (Stage& stage : stages) {
    // What is given for the stage counts in its change (drops follow from epochs), and has the last word.
    Config config = plan.request;
    config.seed = stage_seed(plan.request.seed, plan.stages.size());
    config = with_special(config, stage.name, plan.special);
    if (stage.change) stage.change(config);
    if (config.epochs == 0) config.drops.clear();
    config = with_special(config, stage.name, plan.special);
    const std::string folder = std::to_string(plan.stages.size() + 1) + "-" + stage.name;
    config.out = (std::filesystem::path(plan.request.out) / folder).string();
    plan.stages.push_back({.stage = std::move(stage), .config = std::move(config), .folder = folder});
  }
}

}  // namespace

Config procedure_defaults(const ProcedureInfo& procedure, const Config& float_run) {
  Config config = method_defaults(procedure, float_run);
  procedure.defaults(config);
  if (procedure.lr_divisor != 0) config.lr = float_run.lr / procedure.lr_divisor;
  return config;
}

bool is_decided_by_float_run(std::string_view setting) {
  return contains(kOfFloatRun, setting) || contains(kOfFirstRun, setting);
}

StageSetting parse_stage_setting(const std::string& text) {
  const std::size_t dot = text.find('.'), equals = text.find('=');
  if (dot == std::string::npos || equals == std::string::npos || equals < dot || dot == 0) {
    throw std::invalid_argument("--set " + text + ": give it as STAGE.NAME=VALUE, as fine-tune.lr=0.001");
  }
  StageSetting setting{.stage = text.substr(0, dot),
                       .name = text.substr(dot + 1, equals - dot - 1),
                       .value = text.substr(equals + 1)};
  std::ranges::replace(setting.name, '-', '_');
  return setting;
}

std::size_t ProcedurePlan::stage_at(std::string_view name) const {
  std::vector<std::string_view> known;
  for (const PlannedStage& planned : stages) {
    if (planned.stage.name == name) return known.size();
    known.push_back(planned.stage.name);
  }
  throw std::invalid_argument(engine::data::unknown_name_message("stage", std::string(name), known));
}

ProcedurePlan plan_procedure(const LoadedRun& from, const PartialConfig& flags,
                             const std::vector<std::string>& stage_settings) {
  const Config& float_config = from.folder.config();
  ProcedurePlan plan{.procedure = &find_procedure(flags.values.method)};
  refuse_quantized(*plan.procedure, from);
  require_finished(from);
  refuse_other_task(float_config, flags);
  for (const std::string_view name : kOfFirstRun) {
    if (flags.given.contains(name))
      throw std::invalid_argument("--init-from is for `trainer train`: a procedure starts from --from RUN");
  }
  plan.from = absolute_path(from.folder.path());
  plan.from_checksum = state_checksum(*from.net);
  PartialConfig file = inherited(*plan.procedure, float_config), wanted = flags;
  plan.options = take_options(*plan.procedure, wanted.values.options);
  static_cast<void>(resolved(*plan.procedure, plan.options));
  add_defaults(*plan.procedure, flags, file);
  refuse_float_end(*plan.procedure, flags);
  plan.request = resolve_config(file, wanted);
  plan.request.teacher = absolute_path(plan.request.teacher);
  if (goes_on(*plan.procedure, float_config)) plan.procedure->go_on(from, plan.request, plan.options);
  plan.options = resolved(*plan.procedure, std::move(plan.options));
  for (const std::string& text : stage_settings)
    plan.special.push_back(planned_setting(*plan.procedure, text));
  add_stages(plan);
  return plan;
}

nlohmann::ordered_json plan_to_json(const ProcedurePlan& plan) {
  Config request = plan.request;
  request.out.clear();
  nlohmann::ordered_json json{{"procedure", plan.procedure->method},
                              {"from", plan.from},
                              {"from_checksum", nullptr},
                              {"request", config_to_json(request)},
                              {"options", nlohmann::ordered_json::object()},
                              {"special", nlohmann::ordered_json::array()}};
  if (plan.from_checksum) json["from_checksum"] = *plan.from_checksum;
  for (const auto& [name, value] : plan.options) json["options"][name] = to_string(value);
  for (const StageSetting& setting : plan.special) json["special"].push_back(setting.text());
  return json;
}

ProcedurePlan plan_from_json(const nlohmann::json& json, const std::string& out) {
  ProcedurePlan plan{.procedure = &find_procedure(json.at("procedure").get<std::string>()),
                     .from = json.at("from").get<std::string>(),
                     .request = resolve_config(config_from_json(json.at("request")), {})};
  plan.request.out = out;
  if (const auto sum = json.find("from_checksum"); sum != json.end() && !sum->is_null())
    plan.from_checksum = sum->get<std::uint32_t>();
  OptionValues options;
  for (const auto& [name, value] : json.at("options").items())
    options[name] = parse_option(value.get<std::string>());
  plan.options = resolved(*plan.procedure, take_options(*plan.procedure, options));
  for (const auto& text : json.at("special"))
    plan.special.push_back(parse_stage_setting(text.get<std::string>()));
  add_stages(plan);
  return plan;
}

std::string changed_plan(const ProcedurePlan& before, const ProcedurePlan& now) {
  if (before.procedure != now.procedure) {
    return "method was " + std::string(before.procedure->method) + " and is " +
           std::string(now.procedure->method);
  }
  if (before.from != now.from) return "--from was '" + before.from + "' and is '" + now.from + "'";
  if (const auto change = changed_setting(deciding_settings(before.request), now.request)) return *change;
  for (const auto& [name, value] : before.options) {
    if (now.options.at(name) == value) continue;
    return name + " was " + to_string(value) + " and is " + to_string(now.options.at(name));
  }
  for (std::size_t i = 0; i < now.stages.size(); ++i) {
    if (i >= before.stages.size()) return "it had fewer stages";
    const auto change = changed_setting(deciding_settings(before.stages[i].config), now.stages[i].config);
    if (change) return "in stage '" + now.stages[i].stage.name + "' " + *change;
  }
  return "";
}

}  // namespace bitplane::train
