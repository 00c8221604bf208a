// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/options.h"

#include <algorithm>
#include <vector>

#include "bitplane/kernels/isa.h"
#include "bitplane/kernels/lowbit_conv.h"
#include "bitplane/model_spec.h"
#include "engine/cli/shared/errors.h"
#include "engine/cli/shared/number_flags.h"

namespace bitplane::cli {
namespace {

/// "a, b or c"
std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    text += i == 0 ? "" : i + 1 == names.size() ? " or " : ", ";
    text += names[i];
  }
  return text;
}

template <class List>
std::string names_of(const List& list) {
  std::vector<std::string> names;
  names.reserve(list.size());
  for (const auto& entry : list) names.emplace_back(entry.name);
  return joined(names);
}

/// Pictures of another data set can have the same shape and number of classes: the accuracy would mean
/// nothing. A model that does not say what it was trained on is taken at its labels.
void refuse_other_data(const DataOptions& options, const engine::Model& model,
                       const engine::data::PictureSet& set) {
  const auto& provenance = model.spec().provenance;
  const auto trained_on = provenance.find("data");
  if (trained_on != provenance.end() && trained_on->second == options.name) return;
  const auto& labels = model.labels();
  if (std::equal(labels.begin(), labels.end(), set.class_names.begin(), set.class_names.end())) return;
  if (trained_on == provenance.end() && labels.empty()) return;
  throw CommandError(ExitCode::BadUsage,
                     "the model was trained on " +
                         (trained_on == provenance.end() ? "other classes" : trained_on->second) + " ('" +
                         label_text(model, 0) + "', ...), not on " + options.name + " ('" +
                         set.class_names.front() + "', ...); give that data set, or --other-data");
}

}  // namespace

void add_model(CLI::App& app, ModelOptions& options) {
  app.add_option("MODEL", options.path, "model file, as `trainer export` writes it")->required();
}

engine::Model load_model(const std::string& path) {
  engine::Result<engine::Model> model = engine::Model::load(path);
  if (model.ok()) return std::move(model).value();
  const engine::Status& status = model.status();
  const char* next = "";
  if (status.code() == engine::StatusCode::NotFound) {
    next = "; check the path";
  } else if (status.code() == engine::StatusCode::InvalidFile) {
    next = "; copy it again, or write it anew with `trainer export`";
  }
  throw CommandError(exit_code_of(status.code()), status.message() + next);
}

void add_kernel_choice(CLI::App& app, ModelOptions& options) {
  app.add_option("--isa", options.isa,
                 "highest instruction set to use: " + names_of(kernels::kIsas) +
                     " (default: BITPLANE_ISA, else the best)");
  std::vector<std::string> families;
  for (const kernels::Family family : kernels::lowbit_families())
    families.emplace_back(kernels::family_name(family));
  app.add_option("--family", options.family,
                 "kernels of quantized layers, wherever they support the layer: " + joined(families) +
                     " (default: the cheapest per layer)");
  app.add_flag("--autotune", options.autotune, "choose the kernels of quantized layers by timing them first");
}

engine::SessionOptions session_options(const ModelOptions& options, std::size_t batch) {
  return {.batch = batch,
          .threads = options.threads,
          .isa = options.isa,
          .family = options.family,
          .autotune = options.autotune};
}

void add_threads(CLI::App& app, ModelOptions& options) {
  add_number(app, threads_flag("threads; the results do not depend on them", 1), options.threads);
}

void add_data(CLI::App& app, DataOptions& options) {
  app.add_option("--data", options.name, "data set: " + names_of(engine::data::datasets()))->required();
  app.add_option("--data-dir", options.dir, "folder of its files (default: where its package puts them)");
}

void add_other_data(CLI::App& app, DataOptions& options) {
  app.add_flag_callback(
      "--other-data", [&options] { options.other = OtherData::Accept; },
      "accept a data set that the model was not trained on");
}

void add_first_picture(CLI::App& app, std::size_t& first) {
  add_number(app, WholeFlag{"--first", "number of the first test picture", {0, kMostPictures}}, first);
}

void add_json(CLI::App& app, Format& format) {
  app.add_flag_callback(
      "--json", [&format] { format = Format::JsonDocument; }, "results as JSON");
}

std::string shape_text(const engine::InputShape& shape) {
  return std::to_string(shape.height) + "x" + std::to_string(shape.width) + "x" +
         std::to_string(shape.channels);
}

std::string label_text(const engine::Model& model, std::size_t index) {
  return index < model.labels().size() ? model.labels()[index] : "class " + std::to_string(index);
}

engine::data::PictureSet load_test_set(const DataOptions& options, const engine::Model& model) {
  auto set = take(engine::data::load_dataset(options.name, options.dir, engine::data::Split::Test));
  const engine::InputShape found{set.height, set.width, set.channels}, wanted = model.input();
  if (found.height != wanted.height || found.width != wanted.width || found.channels != wanted.channels) {
    throw CommandError(ExitCode::BadUsage, "the pictures of " + options.name + " are " + shape_text(found) +
                                               ", the model takes " + shape_text(wanted) +
                                               "; use the data set that it was trained on");
  }
  if (set.class_names.size() != model.output_size()) {
    throw CommandError(ExitCode::BadUsage, options.name + " has " + std::to_string(set.class_names.size()) +
                                               " classes, the model's output has " +
                                               std::to_string(model.output_size()) +
                                               "; use the data set that it was trained on");
  }
  if (options.other == OtherData::Refuse) refuse_other_data(options, model, set);
  return set;
}

}  // namespace bitplane::cli
