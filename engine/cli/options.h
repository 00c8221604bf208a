// SPDX-License-Identifier: Apache-2.0
//
// Flags that several subcommands have, declared once so that they read alike everywhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "bitplane/engine.h"
#include "engine/cli/shared/json_output.h"
#include "engine/cli/shared/program.h"
#include "engine/data/dataset.h"

namespace bitplane::cli {

struct ModelOptions {
  std::string path, isa, family;
  bool autotune = false;
  std::size_t threads = 1;
};
void add_model(CLI::App& app, ModelOptions& options);
/// The model, or an error that also says what to do next.
[[nodiscard]] engine::Model load_model(const std::string& path);
/// --isa, --family, --autotune.
void add_kernel_choice(CLI::App& app, ModelOptions& options);
void add_threads(CLI::App& app, ModelOptions& options);

/// What they say, for `batch` pictures a run.
[[nodiscard]] engine::SessionOptions session_options(const ModelOptions& options, std::size_t batch = 1);

/// Whether a model may be measured on another data set than the one that it was trained on.
enum class OtherData : std::uint8_t { Refuse, Accept };

struct DataOptions {
  std::string name, dir;
  OtherData other = OtherData::Refuse;
};
void add_data(CLI::App& app, DataOptions& options);
/// --other-data
void add_other_data(CLI::App& app, DataOptions& options);

/// What --first and --count take: more than any data set has.
inline constexpr std::uint64_t kMostPictures = 1'000'000'000;
/// --first
void add_first_picture(CLI::App& app, std::size_t& first);

void add_json(CLI::App& app, Format& format);

/// "28x28x1"
[[nodiscard]] std::string shape_text(const engine::InputShape& shape);
/// The model's label, else "class 7".
[[nodiscard]] std::string label_text(const engine::Model& model, std::size_t index);

/// The test pictures; throws when they do not fit the model: another shape or number of classes, or, unless
/// options.other accepts it, another data set by name whose classes are called otherwise.
[[nodiscard]] engine::data::PictureSet load_test_set(const DataOptions& options, const engine::Model& model);

}  // namespace bitplane::cli
