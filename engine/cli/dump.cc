// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <memory>
#include <variant>

#include "bitplane/model_spec.h"
#include "bitplane/safetensors.h"
#include "engine/cli/batches.h"
#include "engine/cli/commands.h"
#include "engine/cli/options.h"
#include "engine/cli/shared/errors.h"
#include "engine/cli/shared/number_flags.h"
#include "engine/cli/shared/number_text.h"
#include "engine/cli/shared/output_files.h"
#include "engine/onnx/levels.h"

namespace bitplane::cli {
namespace {

struct DumpOptions {
  ModelOptions model;
  DataOptions data;
  std::string out;
  std::size_t first = 0, count = 0;
  bool codes = false;
  Format format = Format::Text;
};

/// A tensor and where it is kept until the file is written.
template <class T>
struct Kept {
  std::string name;
  std::vector<std::size_t> shape;
  std::vector<T> values;
};

struct Dump {
  std::vector<Kept<std::uint8_t>> bytes;
  std::vector<Kept<float>> floats;
  std::vector<std::int32_t> labels;
};

/// The pictures [first, first + count) of a set; 0: all that follow.
engine::data::PictureSet select(engine::data::PictureSet set, const DumpOptions& options) {
  const std::size_t left = options.first < set.count ? set.count - options.first : 0;
  const std::size_t count = options.count == 0 ? left : options.count;
  if (count == 0 || count > left) {
    throw CommandError(ExitCode::BadUsage, "pictures " + std::to_string(options.first) + " and " +
                                               std::to_string(count) + " on: " + options.data.name + " has " +
                                               std::to_string(set.count) + " test pictures");
  }
  engine::data::PictureSet part = set;
  part.count = count;
  part.labels.assign(set.labels.begin() + static_cast<std::ptrdiff_t>(options.first),
                     set.labels.begin() + static_cast<std::ptrdiff_t>(options.first + count));
  part.pixels.clear();
  std::vector<std::uint8_t> buffer;
  for (std::size_t i = 0; i < count; ++i) {
    const auto picture = take(engine::data::inference_picture(set, options.first + i, buffer));
    part.pixels.insert(part.pixels.end(), picture.begin(), picture.end());
  }
  part.files.clear();
  return part;
}

/// What each code means and where the ranks change, for whoever compares another program with the engine.
void keep_quantizers(const engine::Model& model, const engine::Session& session, std::size_t count,
                     Dump& dump) {
  for (std::size_t q = 0; q < session.quantizers().size(); ++q) {
    const engine::InputShape shape = session.codes_shape(q);
    dump.bytes.push_back(
        {"codes." + session.quantizers()[q], {count, shape.height, shape.width, shape.channels}, {}});
  }
  for (const engine::Node& node : model.spec().nodes) {
    const auto* quantize = std::get_if<engine::Quantize>(&node.op);
    if (quantize == nullptr) continue;
    std::vector<float> levels = onnx::levels_by_code(*quantize);
    dump.floats.push_back({"levels." + node.name, {levels.size()}, std::move(levels)});
    dump.floats.push_back({"thresholds." + node.name, {quantize->thresholds.size()}, quantize->thresholds});
  }
}

void run_set(const engine::Model& model, const DumpOptions& options, const engine::data::PictureSet& set,
             Dump& dump) {
  engine::SessionOptions chosen = session_options(options.model, batch_for(set.count, options.model.threads));
  chosen.capture_codes = options.codes;
  auto session = take(engine::Session::create(model, chosen));
  if (options.codes) keep_quantizers(model, session, set.count, dump);
  dump.floats.push_back({"outputs", {set.count, model.output_size()}, {}});
  std::vector<float>& outputs = dump.floats.back().values;
  (void)run_in_batches(session, chosen.batch, set, [&](const Batch& done) {
    const auto rows = session.output().first(done.count * model.output_size());
    outputs.insert(outputs.end(), rows.begin(), rows.end());
    for (std::size_t q = 0; options.codes && q < dump.bytes.size(); ++q) {
      const auto codes = session.codes(q).first(session.codes(q).size() / chosen.batch * done.count);
      dump.bytes[q].values.insert(dump.bytes[q].values.end(), codes.begin(), codes.end());
    }
  });
}

template <class T>
void add_all(const std::vector<Kept<T>>& kept, engine::DType dtype, engine::Container& file) {
  for (const Kept<T>& tensor : kept) {
    file.tensors.push_back({tensor.name, {dtype, tensor.shape, std::as_bytes(std::span(tensor.values))}});
  }
}

ExitCode dump(const DumpOptions& options) {
  check_targets({.targets = {{"--out", options.out}},
                 .inputs = {options.model.path},
                 .data_folder = data_folder(options.data.name, options.data.dir)});
  const auto model = load_model(options.model.path);
  const auto set = select(load_test_set(options.data, model), options);
  Dump kept;
  run_set(model, options, set, kept);
  kept.labels.assign(set.labels.begin(), set.labels.end());
  engine::Container file{.metadata = {{"data", options.data.name}, {"first", std::to_string(options.first)}},
                         .tensors = {}};
  add_all(kept.bytes, engine::DType::U8, file);
  add_all(kept.floats, engine::DType::F32, file);
  file.tensors.push_back(
      {"labels", {engine::DType::I32, {set.count}, std::as_bytes(std::span(kept.labels))}});
  file.tensors.push_back({"pictures",
                          {engine::DType::U8,
                           {set.count, set.height, set.width, set.channels},
                           std::as_bytes(std::span(set.pixels))}});
  const auto bytes = take(engine::serialize_safetensors(file));
  check(engine::write_file_atomically(options.out, bytes));
  if (options.format == Format::JsonDocument) {
    print_json({{"path", options.out}, {"pictures", set.count}, {"bytes", bytes.size()}});
  } else {
    std::cout << options.out << " (" << set.count << " pictures, " << short_bytes(bytes.size()) << ")\n";
  }
  return ExitCode::Ok;
}

}  // namespace

Action declare_dump(CLI::App& app) {
  auto options = std::make_shared<DumpOptions>();
  add_model(app, options->model);
  add_data(app, options->data);
  add_other_data(app, options->data);
  app.add_option("--out", options->out, "the file to write, safetensors")->required();
  add_first_picture(app, options->first);
  declare_number(app, WholeFlag{"--count", "how many; default: all that follow", {1, kMostPictures}},
                 [options](std::uint64_t count) { options->count = count; });
  app.add_flag("--codes", options->codes, "the codes of every quantizer too");
  add_threads(app, options->model);
  add_kernel_choice(app, options->model);
  add_json(app, options->format);
  return [options] { return dump(*options); };
}

}  // namespace bitplane::cli
