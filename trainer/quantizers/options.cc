// SPDX-License-Identifier: Apache-2.0
#include "trainer/quantizers/options.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <stdexcept>

#include "engine/data/nearest_name.h"

namespace bitplane::train {
namespace {

const OptionInfo& find_option(const std::string& owner, std::span<const OptionInfo> known,
                              const std::string& name) {
  std::vector<std::string_view> names;
  for (const OptionInfo& option : known) {
    if (option.name == name) return option;
    names.push_back(option.name);
  }
  if (names.empty()) throw std::invalid_argument(owner + " has no options; got '" + name + "'");
  throw std::invalid_argument(engine::data::unknown_name_message("option of " + owner + ":", name, names));
}

/// "option 'alternations' is 0.5: "
std::string begin_of_refusal(const OptionInfo& option, const OptionValue& value) {
  const std::string quote = value.name() != nullptr ? "'" : "";
  return "option '" + std::string(option.name) + "' is " + quote + to_string(value) + quote + ": ";
}

void check_number(const OptionInfo& option, const OptionValue& value) {
  const std::string what = begin_of_refusal(option, value);
  const std::string range =
      " from " + to_string(OptionValue(option.min)) + " to " + to_string(OptionValue(option.max));
  const bool whole = option.kind == OptionKind::Whole;
  const double* number = value.number();
  if (number == nullptr || !std::isfinite(*number) || (whole && *number != std::floor(*number))) {
    throw std::invalid_argument(what + (whole ? "that is no whole number" : "that is no number") + range);
  }
  if (*number < option.min || *number > option.max) {
    throw std::invalid_argument(what + "it goes" + range);
  }
  if (*number == 0 && !option.instead_of_zero.empty()) {
    throw std::invalid_argument(what + std::string(option.instead_of_zero));
  }
}

void check_choice(const OptionInfo& option, const OptionValue& value) {
  const std::string* name = value.name();
  if (name != nullptr &&
      std::find(option.choices.begin(), option.choices.end(), *name) != option.choices.end())
    return;
  const auto near = engine::data::nearest_name(to_string(value), option.choices);
  std::string choices;
  for (const std::string_view choice : option.choices)
    choices += (choices.empty() ? "" : ", ") + std::string(choice);
  throw std::invalid_argument(begin_of_refusal(option, value) + "that is none of its choices, " + choices +
                              (near ? "; did you mean '" + std::string(*near) + "'?" : ""));
}

}  // namespace

std::string to_string(const OptionValue& value) {
  if (value.name() != nullptr) return *value.name();
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), *value.number()).ptr;
  return {text.data(), end};
}

OptionValue parse_option(const std::string& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size()) return number;
  return text;
}

OptionValue default_of(const OptionInfo& option) {
  if (option.kind == OptionKind::Choice) return std::string(option.choices.front());
  return option.default_value;
}

OptionValues resolve_options(const std::string& owner, std::span<const OptionInfo> known,
                             OptionValues given) {
  for (const auto& [name, value] : given) {
    const OptionInfo& option = find_option(owner, known, name);
    if (option.kind == OptionKind::Choice) {
      check_choice(option, value);
    } else {
      check_number(option, value);
    }
  }
  for (const OptionInfo& option : known) given.try_emplace(std::string(option.name), default_of(option));
  return given;
}

OptionValue OptionReader::value(std::string_view name) const {
  if (const auto found = given_->find(name); found != given_->end()) return found->second;
  const auto option =
      std::find_if(known_.begin(), known_.end(), [&](const OptionInfo& o) { return o.name == name; });
  if (option == known_.end()) throw std::logic_error("undeclared option '" + std::string(name) + "'");
  return default_of(*option);
}

double OptionReader::real(std::string_view name) const {
  const OptionValue found = value(name);
  if (found.number() == nullptr) throw std::logic_error("option '" + std::string(name) + "' is no number");
  return *found.number();
}

std::size_t OptionReader::count(std::string_view name) const {
  return static_cast<std::size_t>(real(name));
}

std::string OptionReader::choice(std::string_view name) const {
  return to_string(value(name));
}

}  // namespace bitplane::train
