// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/shared/input_files.h"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <ios>
#include <iterator>
#include <stdexcept>
#include <system_error>

#include "engine/cli/shared/errors.h"

namespace bitplane::cli {
namespace {

CommandError unreadable(const std::string& path, const std::string& why) {
  return {ExitCode::BadInput, "cannot read '" + path + "': " + why};
}

}  // namespace

std::string read_text_file(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) throw unreadable(path, "it is a folder; give a file");
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) throw unreadable(path, std::generic_category().message(errno) + "; check the path");
  try {
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  } catch (const std::ios_base::failure& failure) {
    throw unreadable(path, failure.code().message());
  }
}

Json parse_json(std::string_view text) {
  // What is read is copied and printed by functions that call themselves.
  constexpr int kMaxDepth = 100;
  const auto shallow = [](int depth, Json::parse_event_t, const Json&) {
    if (depth <= kMaxDepth) return true;
    throw std::invalid_argument("nested deeper than " + std::to_string(kMaxDepth) + " lists");
  };
  try {
    return Json::parse(text.begin(), text.end(), shallow);
  } catch (const Json::parse_error& error) {
    throw std::invalid_argument("not JSON at byte " + std::to_string(error.byte));
  } catch (const Json::out_of_range&) {
    throw std::invalid_argument("a number in it is too large");
  }
}

Json read_json_object(const std::string& path) {
  const std::string text = read_text_file(path);
  try {
    Json json = parse_json(text);
    if (json.is_object()) return json;
  } catch (const std::invalid_argument& error) {
    throw CommandError(ExitCode::BadInput, path + ": " + error.what());
  }
  throw CommandError(ExitCode::BadInput, path + ": it must hold one JSON object of keys and values");
}

}  // namespace bitplane::cli
