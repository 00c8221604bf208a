// SPDX-License-Identifier: Apache-2.0
#include <cctype>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "engine/cli/commands.h"
#include "engine/cli/options.h"
#include "engine/cli/shared/errors.h"
#include "engine/cli/shared/number_flags.h"
#include "engine/cli/shared/output_files.h"
#include "engine/data/picture.h"

namespace bitplane::cli {
namespace {

struct PicturesOptions {
  DataOptions data;
  std::string out;
  std::size_t first = 0, count = 5;
  Format format = Format::Text;
};

using Set = engine::data::PictureSet;

/// "T-shirt/top" -> "T-shirt-top"
std::string as_file_name(std::string text) {
  for (char& c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '-') c = '-';
  }
  return text;
}

std::string path_of(const PicturesOptions& options, const Set& set, std::size_t picture) {
  const std::string& name = set.class_names[set.labels[picture]];
  return (std::filesystem::path(options.out) / (std::to_string(picture) + "-" + as_file_name(name) + ".png"))
      .string();
}

/// Nothing is written when one of the files would replace one of the data set.
void check_files(const PicturesOptions& options, const Set& set) {
  const std::string folder = data_folder(options.data.name, options.data.dir);
  for (std::size_t i = options.first; i < options.first + options.count; ++i)
    check_targets({.targets = {{"--out", path_of(options, set, i)}}, .data_folder = folder});
}

ExitCode write_pictures(const PicturesOptions& options) {
  const auto set =
      take(engine::data::load_dataset(options.data.name, options.data.dir, engine::data::Split::Test));
  if (options.first >= set.count || options.count > set.count - options.first) {
    throw CommandError(ExitCode::BadUsage, "pictures " + std::to_string(options.first) + " and " +
                                               std::to_string(options.count) + " on: " + options.data.name +
                                               " has " + std::to_string(set.count) + " test pictures");
  }
  std::error_code error;
  std::filesystem::create_directories(options.out, error);
  if (error) throw CommandError(ExitCode::SystemRefused, options.out + ": " + error.message());
  check_files(options, set);
  Json list = Json::array();
  std::vector<std::uint8_t> buffer;
  for (std::size_t i = options.first; i < options.first + options.count; ++i) {
    const std::string path = path_of(options, set, i);
    const auto pixels = take(engine::data::inference_picture(set, i, buffer));
    check(
        engine::data::write_png(path, {set.height, set.width, set.channels, {pixels.begin(), pixels.end()}}));
    if (options.format == Format::JsonDocument) {
      list.push_back({{"path", path},
                      {"index", i},
                      {"label", set.labels[i]},
                      {"class", set.class_names[set.labels[i]]}});
    } else {
      std::cout << path << '\n';
    }
  }
  if (options.format == Format::JsonDocument) print_json(list);
  return ExitCode::Ok;
}

}  // namespace

Action declare_pictures(CLI::App& app) {
  auto options = std::make_shared<PicturesOptions>();
  add_data(app, options->data);
  app.add_option("--out", options->out, "folder for the files, made if it is missing")->required();
  add_first_picture(app, options->first);
  add_number(app, WholeFlag{"--count", "how many", {1, kMostPictures}}, options->count);
  add_json(app, options->format);
  return [options] { return write_pictures(*options); };
}

}  // namespace bitplane::cli
