// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/shared/usage_errors.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "engine/data/nearest_name.h"

namespace bitplane::cli {
namespace {

std::vector<std::string> subcommand_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(sub->get_name());
  return names;
}

std::string with_help(const CLI::App& asked, const std::string& message) {
  std::string command = asked.get_name();
  for (const CLI::App* parent = asked.get_parent(); parent != nullptr; parent = parent->get_parent()) {
    command.insert(0, parent->get_name() + " ");
  }
  return message + "; see: " + command + " --help";
}

std::string nearest_flag(const CLI::App& app, const std::string& given) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
  }
  const std::vector<std::string_view> known(flags.begin(), flags.end());
  const auto near = engine::data::nearest_name(given, known);
  return near ? "; did you mean " + std::string(*near) + "?" : "";
}

/// What CLI11 could not place, in `app` or in `asked`, whose flags come nearest.
std::string unexpected(const CLI::App& app, const CLI::App& asked) {
  const std::vector<std::string> extras = app.remaining(true);
  const auto is_flag = [](const std::string& text) { return text.starts_with("-"); };
  const auto flag = std::find_if(extras.begin(), extras.end(), is_flag);
  if (flag == extras.end()) {
    return extras.empty() ? "unexpected arguments" : "unexpected argument '" + extras.front() + "'";
  }
  const std::string given = flag->substr(0, flag->find('='));
  return "unknown flag '" + given + "'" + nearest_flag(asked, given);
}

}  // namespace

void refuse_unknown_subcommand(const CLI::App& app, int argc, const char* const* argv) {
  if (argc < 2 || std::string_view(argv[1]).starts_with("-")) return;
  const auto names = subcommand_names(app);
  if (std::find(names.begin(), names.end(), argv[1]) != names.end()) return;
  const std::vector<std::string_view> known(names.begin(), names.end());
  throw CommandError(ExitCode::BadUsage,
                     with_help(app, engine::data::unknown_name_message("subcommand", argv[1], known)));
}

CommandError usage_error(const CLI::App& app, const CLI::ParseError& error) {
  const auto chosen = app.get_subcommands();
  const CLI::App& asked = chosen.empty() ? app : *chosen.front();
  const bool extras = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr;
  return {ExitCode::BadUsage, with_help(asked, extras ? unexpected(app, asked) : std::string(error.what()))};
}

CommandError misplaced_flag(const CLI::App& asked, const std::string& flag) {
  return {ExitCode::BadUsage, with_help(asked, flag + " stands in front of the subcommand: give it behind '" +
                                                   asked.get_name() + "'")};
}

CommandError no_subcommand(const CLI::App& app) {
  std::string names;
  for (const std::string& name : subcommand_names(app)) names += (names.empty() ? "" : ", ") + name;
  return {ExitCode::BadUsage, with_help(app, "a subcommand is missing, one of: " + names)};
}

}  // namespace bitplane::cli
