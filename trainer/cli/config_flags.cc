// SPDX-License-Identifier: Apache-2.0
#include "trainer/cli/config_flags.h"

#include <functional>
#include <stdexcept>
#include <type_traits>
#include <variant>

#include "engine/cli/shared/number_flags.h"

namespace bitplane::train {

std::string own_help(const ConfigField& field) {
  return std::string(field.help);
}

namespace {

CLI::Option* declare_field(CLI::App& app, const ConfigField& field, const std::string& help,
                           const std::shared_ptr<ConfigFlags>& flags) {
  const auto set = [flags, member = field.member, name = std::string(field.name)](const auto& value) {
    using Member = std::remove_cvref_t<decltype(value)> Config::*;
    flags->given.values.*std::get<Member>(member) = value;
    flags->given.given.insert(name);
  };
  const std::string flag = flag_of(field);
  if (std::holds_alternative<std::string Config::*>(field.member))
    return app.add_option_function<std::string>(flag, set, help);
  if (std::holds_alternative<double Config::*>(field.member))
    return cli::declare_number(app, cli::RealFlag{flag, help, field.range}, set);
  return cli::declare_number(app, cli::WholeFlag{flag, help, cli::whole_numbers_of(field.range)}, set);
}

}  // namespace

void declare_config_flags(CLI::App& app, const std::shared_ptr<ConfigFlags>& flags,
                          const FieldHelp& help_of) {
  for (const ConfigField& field : config_fields()) {
    const std::string help = help_of(field);
    CLI::Option* flag = declare_field(app, field, help, flags);
    if (help.empty()) flag->group("");  // CLI11's way to hide it
  }
  app.add_option("--option", flags->method_options,
                 "NAME=VALUE: an option of the method (trainer list methods)")
      ->allow_extra_args(false);
}

PartialConfig take_flags(const ConfigFlags& flags) {
  PartialConfig given = flags.given;
  for (const std::string& text : flags.method_options) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos)
      throw std::invalid_argument("--option " + text + ": give it as NAME=VALUE");
    const std::string name = text.substr(0, equals);
    if (!given.values.options.emplace(name, parse_option(text.substr(equals + 1))).second)
      throw std::invalid_argument("--option " + name + " is given twice: leave one of them out");
  }
  return given;
}

}  // namespace bitplane::train
