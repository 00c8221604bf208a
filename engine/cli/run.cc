// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cmath>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/cli/commands.h"
#include "engine/cli/options.h"
#include "engine/cli/shared/errors.h"
#include "engine/cli/shared/number_flags.h"
#include "engine/cli/shared/number_text.h"
#include "engine/cli/shared/table.h"
#include "engine/data/class_folder.h"
#include "engine/data/dataset.h"
#include "engine/data/picture.h"

namespace bitplane::cli {
namespace {

using engine::data::Fit;
using engine::data::Picture;

constexpr std::uint64_t kMostClasses = 1'000'000;

struct RunOptions {
  ModelOptions model;
  std::vector<std::string> pictures;
  std::string fit;  ///< "": as the model's data set has it
  bool strict = false;
  std::size_t top = 5;
  Format format = Format::Text;
};

struct FitInfo {
  std::string_view name;
  engine::Result<Picture> (*apply)(const Picture& picture, std::size_t height, std::size_t width);
  std::string_view done;  ///< what to say when it was applied
};

constexpr std::string_view kWhole = "resize", kMiddle = "evaluation";
constexpr std::array<FitInfo, 3> kFits{{
    {kWhole, [](const Picture& p, std::size_t h, std::size_t w) { return fit_picture(p, h, w, Fit::Resize); },
     "resized"},
    {"crop",
     [](const Picture& p, std::size_t h, std::size_t w) { return fit_picture(p, h, w, Fit::CenterCrop); },
     "scaled and cropped in the middle"},
    {kMiddle,
     [](const Picture& p, std::size_t h, std::size_t w) {
       return engine::Result<Picture>(resample(p, engine::data::inference_window(p, h, w), h, w));
     },
     "scaled and cut as the pictures of the tests are"},
}};

std::vector<std::string> names_of_fits() {
  std::vector<std::string> names;
  names.reserve(kFits.size());
  for (const FitInfo& info : kFits) names.emplace_back(info.name);
  return names;
}

/// The one asked for (the command line was checked), or what tests of the model's data set do.
const FitInfo& fit_of(const RunOptions& options, const engine::Model& model) {
  const auto& provenance = model.spec().provenance;
  const auto data = provenance.find("data");
  const auto* set = data == provenance.end() ? nullptr : engine::data::find_dataset(data->second);
  const bool middle = set != nullptr && set->tests == engine::data::TestPictures::Middle;
  const std::string_view name = !options.fit.empty() ? std::string_view(options.fit)
                                : middle             ? kMiddle
                                                     : kWhole;
  return *std::find_if(kFits.begin(), kFits.end(), [&](const FitInfo& info) { return info.name == name; });
}

struct Guess {
  std::size_t label;
  double probability;
};

/// Pixels of the size that the model takes.
std::vector<std::uint8_t> load_pixels(const std::string& path, const engine::Model& model,
                                      const RunOptions& options) {
  const engine::InputShape wanted = model.input();
  const FitInfo& fit = fit_of(options, model);
  auto picture = take(engine::data::read_picture(path, wanted.channels));
  const bool fits = picture.height == wanted.height && picture.width == wanted.width;
  // A picture of the model's size is taken as it is, unless its cut is asked for: `bitplane pictures` has
  // cut.
  if (fits && options.fit != kMiddle) return std::move(picture.pixels);
  if (!fits) {
    const std::string found = path + ": the picture is " + std::to_string(picture.height) + "x" +
                              std::to_string(picture.width) + ", the model takes " +
                              std::to_string(wanted.height) + "x" + std::to_string(wanted.width);
    if (options.strict) throw CommandError(ExitCode::BadInput, found + "; scale it, or leave out --strict");
    note(found + "; " + std::string(fit.done));
  }
  return take(fit.apply(picture, wanted.height, wanted.width)).pixels;
}

/// Softmax, the most probable first.
std::vector<Guess> best_guesses(std::span<const float> logits, std::size_t top) {
  const double highest = *std::max_element(logits.begin(), logits.end());
  std::vector<Guess> guesses(logits.size());
  double sum = 0.0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    guesses[i] = {.label = i, .probability = std::exp(static_cast<double>(logits[i]) - highest)};
    sum += guesses[i].probability;
  }
  for (Guess& guess : guesses) guess.probability /= sum;
  std::stable_sort(guesses.begin(), guesses.end(),
                   [](const Guess& a, const Guess& b) { return a.probability > b.probability; });
  guesses.resize(std::min(top, guesses.size()));
  return guesses;
}

void print_guesses(const std::string& path, const engine::Model& model, const std::vector<Guess>& guesses) {
  std::cout << path << '\n';
  Table table({{"  probability", Align::Right}, {"class"}});
  for (const Guess& guess : guesses) table.add({percent(guess.probability), label_text(model, guess.label)});
  table.print(std::cout);
}

Json guesses_json(const std::string& path, const engine::Model& model, const std::vector<Guess>& guesses) {
  Json list = Json::array();
  for (const Guess& guess : guesses) {
    list.push_back({{"index", guess.label},
                    {"class", label_text(model, guess.label)},
                    {"probability", guess.probability}});
  }
  return {{"picture", path}, {"guesses", list}};
}

ExitCode run(const RunOptions& options) {
  const auto model = load_model(options.model.path);
  auto session = take(engine::Session::create(model, session_options(options.model)));
  std::vector<std::vector<std::uint8_t>>
      inputs;  // all of them first: a bad one stops before anything is printed
  for (const std::string& path : options.pictures) inputs.push_back(load_pixels(path, model, options));
  Json all = Json::array();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    check(session.run(inputs[i]));
    const auto guesses = best_guesses(session.output(), options.top);
    if (options.format == Format::JsonDocument) {
      all.push_back(guesses_json(options.pictures[i], model, guesses));
    } else {
      print_guesses(options.pictures[i], model, guesses);
    }
  }
  if (options.format == Format::JsonDocument) print_json(all);
  return ExitCode::Ok;
}

}  // namespace

Action declare_run(CLI::App& app) {
  auto options = std::make_shared<RunOptions>();
  add_model(app, options->model);
  app.add_option("PICTURE", options->pictures, "PNG or JPEG files")->required();
  app.add_option("--fit", options->fit,
                 "how a picture of another size gets the model's: resize, crop, or evaluation, as tests of "
                 "folder-224 (default: evaluation for models of that set, else resize)")
      ->check(CLI::IsMember(names_of_fits()));
  app.add_flag("--strict", options->strict, "refuse a picture of another size");
  add_number(app, WholeFlag{"--top", "classes to print", {1, kMostClasses}}, options->top);
  add_kernel_choice(app, options->model);
  add_json(app, options->format);
  return [options] { return run(*options); };
}

}  // namespace bitplane::cli
