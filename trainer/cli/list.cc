// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "engine/cli/shared/json_output.h"
#include "engine/cli/shared/table.h"
#include "engine/data/dataset.h"
#include "engine/data/nearest_name.h"
#include "trainer/cli/common.h"
#include "trainer/cli/subcommands.h"
#include "trainer/methods/method.h"
#include "trainer/nets/layer_sizes.h"
#include "trainer/nets/net.h"
#include "trainer/optim/optimizer.h"
#include "trainer/optim/schedule.h"
#include "trainer/procedures/plan.h"
#include "trainer/procedures/procedure.h"

namespace bitplane::train {
namespace {

using cli::Json;

Json list_nets() {
  Json rows = Json::array();
  for (const NetInfo& net : nets()) {
    const NetCounts counts = count_net(net);
    rows.push_back({{"name", net.name},
                    {"description", net.description},
                    {"input", to_string(net.input)},
                    {"min_size", net.min_size},
                    {"classes", net.classes},
                    {"parameters", counts.parameters},
                    {"conv_weights", counts.conv_weights},
                    {"macs", counts.macs}});
  }
  return rows;
}

Json describe_option(const OptionInfo& option) {
  const OptionValue start = default_of(option);
  Json json;
  if (option.kind == OptionKind::Choice) {
    json = {{"default", *start.name()}, {"choices", option.choices}};
  } else {
    json = {{"default", *start.number()}, {"min", option.min}, {"max", option.max}};
  }
  json["kind"] = option.kind == OptionKind::Choice ? "choice"
                 : option.kind == OptionKind::Real ? "real"
                                                   : "whole";
  json["help"] = option.help;
  return json;
}

const ProcedureInfo* procedure_of(std::string_view method) {
  for (const ProcedureInfo* procedure : procedures()) {
    if (procedure->method == method) return procedure;
  }
  return nullptr;
}

/// "" for methods without one.
std::string procedure_text(std::string_view method) {
  const ProcedureInfo* procedure = procedure_of(method);
  return procedure == nullptr ? "" : "trainer quantize: " + std::string(procedure->description);
}

Json procedure_options(std::string_view method) {
  Json options = Json::object();
  if (const ProcedureInfo* procedure = procedure_of(method)) {
    for (const OptionInfo& option : procedure->options)
      options[std::string(option.name)] = describe_option(option);
  }
  return options;
}

/// None where `trainer train` refuses the method.
Json train_defaults(const MethodInfo& method) {
  if (method.start == MethodStart::FloatNet) return Json::object();
  return {{"wbits", method.defaults.wbits},
          {"abits", method.defaults.abits},
          {"lr", method.defaults.lr},
          {"weight_decay", method.defaults.weight_decay}};
}

/// Of `trainer quantize`; none without a procedure.
Json quantize_defaults(std::string_view method) {
  const ProcedureInfo* procedure = procedure_of(method);
  if (procedure == nullptr) return Json::object();
  constexpr const char* kFloatRuns = "the float run's";
  Config float_run;
  float_run.schedule = kFloatRuns;  // stays where the procedure has none of its own
  const Config config = procedure_defaults(*procedure, float_run);
  Json json{{"wbits", config.wbits},   {"abits", config.abits},
            {"lr", config.lr},         {"weight_decay", config.weight_decay},
            {"epochs", config.epochs}, {"schedule", config.schedule}};
  if (procedure->lr_divisor != 0)
    json["lr"] = std::string(kFloatRuns) + " / " + std::to_string(procedure->lr_divisor);
  return json;
}

Json list_methods() {
  Json rows = Json::array();
  for (const MethodInfo& method : methods()) {
    Json options = Json::object();
    for (const OptionInfo& option : method_options(method)) {
      options[std::string(option.name)] = describe_option(option);
    }
    rows.push_back({{"name", method.name},
                    {"description", method.description},
                    {"procedure", procedure_text(method.name)},
                    {"weights", method.weights},
                    {"activations", method.activations},
                    {"weight_bits", weight_bits_text(method)},
                    {"activation_bits", activation_bits_text(method)},
                    {"defaults", train_defaults(method)},
                    {"procedure_defaults", quantize_defaults(method.name)},
                    {"options", options},
                    {"procedure_options", procedure_options(method.name)}});
  }
  return rows;
}

Json list_datasets() {
  Json rows = Json::array();
  for (const engine::data::DatasetInfo& set : engine::data::datasets()) {
    rows.push_back({{"name", set.name},
                    {"description", set.description},
                    {"pictures", to_string(PictureShape{set.height, set.width, set.channels})},
                    {"classes", set.classes},
                    {"folder", set.default_dir},
                    {"how_to_get", set.how_to_get}});
  }
  return rows;
}

template <class Infos>
Json names_and_descriptions(const Infos& infos) {
  Json rows = Json::array();
  for (const auto& info : infos) rows.push_back({{"name", info.name}, {"description", info.description}});
  return rows;
}
Json list_optimizers() {
  return names_and_descriptions(optimizers());
}
Json list_schedules() {
  return names_and_descriptions(schedules());
}

struct Listing {
  std::string_view what;
  Json (*rows)();
};
constexpr std::array<Listing, 5> kListings{{{"nets", list_nets},
                                            {"methods", list_methods},
                                            {"datasets", list_datasets},
                                            {"optimizers", list_optimizers},
                                            {"schedules", list_schedules}}};

std::string cell(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  std::string text;
  if (value.is_array()) {
    for (const auto& element : value) text += (text.empty() ? "" : ", ") + cell(element);
  } else if (value.is_object()) {
    for (const auto& [key, element] : value.items()) {
      const Json& shown = element.is_object() && element.contains("default") ? element["default"] : element;
      text += (text.empty() ? "" : ", ") + key + "=" + shown.dump();
    }
  } else {
    text = value.dump();
  }
  return text;
}

/// One paragraph per row: descriptions are too long for columns.
void print_rows(const Json& rows) {
  for (const Json& row : rows) {
    std::cout << row["name"].get<std::string>() << '\n';
    for (const auto& [key, value] : row.items()) {
      const std::string text = cell(value);
      if (key != "name" && !text.empty())
        std::cout << "  " << key << std::string(key.size() < 12 ? 12 - key.size() : 1, ' ') << text << '\n';
    }
  }
}

struct ListOptions {
  std::string what;
  bool json = false;
};

cli::ExitCode list(const ListOptions& options) {
  std::vector<std::string_view> known;
  for (const Listing& listing : kListings) {
    known.push_back(listing.what);
    if (listing.what != options.what) continue;
    if (options.json) {
      cli::print_json(listing.rows());
    } else {
      print_rows(listing.rows());
    }
    return cli::ExitCode::Ok;
  }
  throw std::invalid_argument(engine::data::unknown_name_message("list", options.what, known));
}

}  // namespace

cli::Action declare_list(CLI::App& app) {
  auto options = std::make_shared<ListOptions>();
  app.add_option("WHAT", options->what, "nets, methods, datasets, optimizers or schedules")->required();
  app.add_flag("--json", options->json, "as JSON");
  return [options] { return guarded([&] { return list(*options); }); };
}

}  // namespace bitplane::train
