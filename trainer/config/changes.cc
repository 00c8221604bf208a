// SPDX-License-Identifier: Apache-2.0
#include "trainer/config/changes.h"

#include <vector>

#include "trainer/nets/net_file.h"

namespace bitplane::train {
namespace {

using Json = nlohmann::ordered_json;

Json deciding_json(const Config& config) {
  Json json = config_to_json(config);
  for (const ConfigField& field : config_fields()) {
    if (field.effect == FieldEffect::OnSurroundings) json.erase(std::string(field.name));
  }
  return json;
}

std::string text_of(const Json& value) {
  return value.is_string() ? "'" + value.get<std::string>() + "'" : value.dump();
}

}  // namespace

std::string deciding_settings(const Config& config) {
  return deciding_json(config).dump();
}

std::string net_text(const std::string& settings) {
  const auto json = Json::parse(settings, nullptr, false);
  const auto value = [&](const char* key) {
    if (!json.is_object() || !json.contains(key)) return std::string("?");
    return json[key].is_string() ? json[key].get<std::string>() : json[key].dump();
  };
  return "net " + net_title(value("net")) + ", method " + value("method") + ", " + value("wbits") + "/" +
         value("abits") + " bits";
}

std::optional<std::string> changed_setting(const std::string& settings, const Config& config) {
  const auto before = Json::parse(settings, nullptr, false);
  if (!before.is_object()) return "the settings in it are not readable";
  const Json now = deciding_json(config);
  for (const auto& [key, value] : now.items()) {
    if (before.contains(key) && before[key] != value) {
      return key + " was " + text_of(before[key]) + " and is " + text_of(value);
    }
  }
  return std::nullopt;
}

}  // namespace bitplane::train
