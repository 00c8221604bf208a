// SPDX-License-Identifier: Apache-2.0
#include "trainer/run/provenance.h"

#include <array>
#include <chrono>
#include <ctime>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <vector>

#include "engine/cli/shared/version.h"

namespace bitplane::train {
namespace {

using Json = nlohmann::ordered_json;

#ifdef __clang__
constexpr const char* kCompiler = "clang " __clang_version__;
#else
constexpr const char* kCompiler = "gcc " __VERSION__;
#endif

/// As Linux names it; "unknown" elsewhere.
std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(": ");
    if (colon != std::string::npos && line.starts_with("model name")) return line.substr(colon + 2);
  }
  return "unknown";
}

/// The arguments of this process, as Linux keeps them; empty elsewhere.
std::vector<std::string> command_line() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::vector<std::string> arguments;
  for (std::string argument; std::getline(file, argument, '\0');) arguments.push_back(argument);
  return arguments;
}

}  // namespace

std::string provenance_text(const std::string& before, const Config& config, const std::string& data_digest,
                            const SessionFacts& session) {
  const auto old = Json::parse(before, nullptr, false);
  Json sessions = Json::array();
  if (old.is_object() && old.contains("sessions") && old["sessions"].is_array()) sessions = old["sessions"];
  sessions.push_back({{"started", utc_now_text()},
                      {"first_step", session.first_step},
                      {"version", cli::version()},
                      {"compiler", kCompiler},
                      {"cpu", cpu_name()},
                      {"isa", session.isa},
                      {"threads", session.threads},
                      {"command_line", command_line()}});
  const Json json{{"seed", config.seed},
                  {"data", config.data},
                  {"data_digest", data_digest},
                  {"sessions", std::move(sessions)}};
  // Arguments may hold any bytes; those that are no UTF-8 are replaced.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string utc_now_text() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

}  // namespace bitplane::train
