// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/shared/output_files.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "engine/cli/shared/errors.h"
#include "engine/data/dataset.h"

namespace bitplane::cli {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void refuse(const Target& target, const std::string& why) {
  throw CommandError(ExitCode::BadUsage, target.flag + " " + target.path + ": " + why);
}

/// Without links, "." and "..", as far as it exists.
fs::path resolved(const fs::path& path) {
  std::error_code error;
  const fs::path found = fs::weakly_canonical(fs::absolute(path, error), error);
  return error ? path.lexically_normal() : found;
}

bool same_file(const fs::path& a, const fs::path& b) {
  std::error_code error;
  return fs::equivalent(a, b, error) || resolved(a) == resolved(b);
}

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

bool is_kept_by_run(const fs::path& file) {
  constexpr std::array<std::string_view, 9> kNames{"config.json",
                                                   "provenance.json",
                                                   "result.json",
                                                   "metrics.csv",
                                                   "metrics.jsonl",
                                                   "log.txt",
                                                   "checkpoint-last.safetensors",
                                                   "checkpoint-best.safetensors",
                                                   "model.safetensors"};
  const fs::path folder = file.parent_path();
  const std::string name = file.filename().string();
  // Other programs keep a config.json beside their model.safetensors.
  const bool run = is_there(folder / "checkpoint-last.safetensors") ||
                   is_there(folder / "checkpoint-best.safetensors") ||
                   (is_there(folder / "config.json") && name != "model.safetensors");
  return run && (std::ranges::find(kNames, name) != kNames.end() || name.starts_with("events.out.tfevents."));
}

bool is_kept_by_procedure(const fs::path& file) {
  const std::string name = file.filename().string();
  return is_there(file.parent_path() / "procedure.json") &&
         (name == "procedure.json" || name.ends_with(".prepared.json"));
}

/// A file that is there, of a kind that data sets consist of.
bool is_data_file(const fs::path& file, const std::string& data_folder) {
  constexpr std::array<std::string_view, 7> kEndings{"-ubyte", "-ubyte.gz", ".bin", ".txt",
                                                     ".png",   ".jpg",      ".jpeg"};
  std::string name = file.filename().string();
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (data_folder.empty() || !is_there(file)) return false;
  if (std::ranges::none_of(kEndings, [&](std::string_view ending) { return name.ends_with(ending); }))
    return false;
  const fs::path folder = resolved(data_folder);
  return std::mismatch(folder.begin(), folder.end(), file.begin(), file.end()).first == folder.end();
}

void refuse_unwritable(const Target& target) {
  const fs::path path(target.path);
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  std::error_code error;
  if (!path.has_filename() || fs::is_directory(path, error)) refuse(target, "that is a folder; give a file");
  if (is_there(path) && !fs::is_regular_file(path, error))
    refuse(target, "it exists and is not a regular file; give another one");
  if (!is_there(folder)) refuse(target, "there is no folder '" + folder.string() + "'; make it first");
  if (!fs::is_directory(folder, error) || ::access(folder.c_str(), W_OK | X_OK) != 0) {
    throw CommandError(ExitCode::SystemRefused, target.flag + " " + target.path +
                                                    ": no file can be written in '" + folder.string() +
                                                    "'; give another place");
  }
}

void refuse_kept(const Target& target, const OutputPlan& plan) {
  const fs::path path(target.path);
  // What the path leads to, and the place itself where it is a link.
  for (const fs::path& file : {resolved(path), resolved(path.parent_path() / ".") / path.filename()}) {
    if (!target.own_file.empty() && same_file(file, target.own_file)) continue;
    if (is_kept_by_run(file) || is_kept_by_procedure(file)) {
      refuse(target, "that would replace a file of the run in '" + file.parent_path().string() +
                         "'; give another place");
    }
    if (is_data_file(file, plan.data_folder))
      refuse(target, "that would replace a file of the data set; give another place");
  }
}

}  // namespace

std::string data_folder(const std::string& name, const std::string& dir) {
  const engine::data::DatasetInfo* info = engine::data::find_dataset(name);
  return dir.empty() && info != nullptr ? std::string(info->default_dir) : dir;
}

void check_targets(const OutputPlan& plan) {
  for (std::size_t i = 0; i < plan.targets.size(); ++i) {
    const Target& target = plan.targets[i];
    if (target.path.empty()) continue;
    for (const std::string& input : plan.inputs) {
      if (same_file(target.path, input))
        refuse(target, "that would replace '" + input + "', which this command reads; give another file");
    }
    for (std::size_t j = 0; j < i; ++j) {
      const Target& other = plan.targets[j];
      if (!other.path.empty() && same_file(target.path, other.path))
        refuse(target, "that is the file of " + other.flag + ", too; give another one");
    }
    refuse_kept(target, plan);
    refuse_unwritable(target);
  }
}

}  // namespace bitplane::cli
