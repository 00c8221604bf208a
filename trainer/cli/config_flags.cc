// SPDX-License-Identifier: Apache-2.0
#include "trainer/cli/config_flags.h"

#include <functional>
#include <stdexcept>
#include <type_traits>
#include <variant>

namespace bitplane::train {

std::string own_help(const ConfigField& field) {
  return std::string(field.help);
}

void declare_config_flags(CLI::App& app, const std::shared_ptr<ConfigFlags>& flags,
                          const FieldHelp& help_of) {
  for (const ConfigField& field : config_fields()) {
    const auto note_given = [flags, name = std::string(field.name)](const auto&) {
      flags->given.given.insert(name);
    };
    std::visit(
        [&](auto member) {
          using Value = std::remove_reference_t<decltype(flags->given.values.*member)>;
          const std::function<void(const Value&)> set = [flags, member, note_given](const Value& value) {
            flags->given.values.*member = value;
            note_given(value);
          };
          const std::string help = help_of(field);
          CLI::Option* flag = app.add_option_function(flag_of(field), set, help);
          if (help.empty()) flag->group("");  // CLI11's way to hide it
        },
        field.member);
  }
  app.add_option("--option", flags->method_options,
                 "NAME=VALUE: an option of the method (trainer list methods)");
}

PartialConfig take_flags(const ConfigFlags& flags) {
  PartialConfig given = flags.given;
  for (const std::string& text : flags.method_options) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos)
      throw std::invalid_argument("--option " + text + ": give it as NAME=VALUE");
    given.values.options[text.substr(0, equals)] = parse_option(text.substr(equals + 1));
  }
  return given;
}

}  // namespace bitplane::train
