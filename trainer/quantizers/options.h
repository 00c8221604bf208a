// SPDX-License-Identifier: Apache-2.0
//
// Options of quantizers and methods: whole numbers, real numbers, or one name of a list. Each is declared as
// an OptionInfo beside the code that reads it; checks, defaults, help and the lists follow from that.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace bitplane::train {

enum class OptionKind : std::uint8_t { Whole, Real, Choice };

struct OptionInfo {
  std::string_view name, help;
  OptionKind kind = OptionKind::Whole;
  double default_value = 0, min = 0, max = 0;      ///< of numbers
  std::span<const std::string_view> choices = {};  ///< of a Choice; the first is the default
  /// Where 0 lies in the range and means nothing: what to give instead.
  std::string_view instead_of_zero = {};
};

/// A number or a name.
class OptionValue {
 public:
  OptionValue() = default;
  OptionValue(int number) : value_(static_cast<double>(number)) {}
  OptionValue(double number) : value_(number) {}
  OptionValue(std::string name) : value_(std::move(name)) {}
  OptionValue(const char* name) : value_(std::string(name)) {}

  [[nodiscard]] const double* number() const noexcept { return std::get_if<double>(&value_); }
  [[nodiscard]] const std::string* name() const noexcept { return std::get_if<std::string>(&value_); }
  friend bool operator==(const OptionValue&, const OptionValue&) = default;

 private:
  std::variant<double, std::string> value_ = 0.0;
};

using OptionValues = std::map<std::string, OptionValue, std::less<>>;

/// "4", "0.5", "unit": the shortest text that reads back the same.
[[nodiscard]] std::string to_string(const OptionValue& value);
/// A number where all of the text is one, else a name.
[[nodiscard]] OptionValue parse_option(const std::string& text);
[[nodiscard]] OptionValue default_of(const OptionInfo& option);

/// The given values, checked, and the defaults of the others. `owner` begins the messages, as
/// "method 'lq-nets'". Throws std::invalid_argument for an unknown option (with the nearest known name), a
/// value of the wrong kind and one out of range.
[[nodiscard]] OptionValues resolve_options(const std::string& owner, std::span<const OptionInfo> known,
                                           OptionValues given);

/// What a quantizer reads its options with: the value that was given, or the default of its declaration.
class OptionReader {
 public:
  OptionReader(std::span<const OptionInfo> known, const OptionValues& given)
      : known_(known), given_(&given) {}
  [[nodiscard]] double real(std::string_view name) const;
  /// Of an option that is never negative.
  [[nodiscard]] std::size_t count(std::string_view name) const;
  [[nodiscard]] std::string choice(std::string_view name) const;
  [[nodiscard]] bool is_on(std::string_view name) const { return real(name) != 0; }

 private:
  [[nodiscard]] OptionValue value(std::string_view name) const;
  std::span<const OptionInfo> known_;
  const OptionValues* given_;
};

}  // namespace bitplane::train
