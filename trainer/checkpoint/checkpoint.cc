// SPDX-License-Identifier: Apache-2.0
#include "trainer/checkpoint/checkpoint.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "engine/cli/shared/errors.h"
#include "trainer/checkpoint/file.h"
#include "trainer/config/changes.h"

namespace bitplane::train {
namespace {

using engine::Container;
using engine::DType;
using engine::TensorEntry;

constexpr const char* kVersionKey = "bitplane.checkpoint";
constexpr const char* kTeacherKey = "teacher";
constexpr const char* kVersion = "3";

std::vector<std::size_t> dims_of(const Shape& shape) {
  std::vector<std::size_t> dims;
  for (std::size_t i = 0; i < shape.rank(); ++i) dims.push_back(shape[i]);
  return dims;
}

std::string text_of(const std::vector<std::size_t>& dims) {
  std::string text = "[";
  for (std::size_t i = 0; i < dims.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(dims[i]);
  return text + "]";
}

TensorEntry entry_of(std::string name, const Tensor& tensor) {
  return {
      .name = std::move(name),
      .tensor = {
          .dtype = DType::F32, .shape = dims_of(tensor.shape()), .bytes = std::as_bytes(tensor.values())}};
}

TensorEntry entry_of(std::string name, const std::vector<float>& values) {
  return {
      .name = std::move(name),
      .tensor = {.dtype = DType::F32, .shape = {values.size()}, .bytes = std::as_bytes(std::span(values))}};
}

nlohmann::json json_of(const Progress& p) {
  return {{"step", p.step},
          {"epoch", p.epoch},
          {"step_in_epoch", p.step_in_epoch},
          {"seen", p.seen},
          {"correct", p.correct},
          {"loss_sum", p.loss_sum},
          {"test_accuracy", p.test_accuracy},
          {"best_accuracy", p.best_accuracy},
          {"best_epoch", p.best_epoch}};
}

Progress progress_of(const nlohmann::json& json) {
  Progress p;
  json.at("step").get_to(p.step);
  json.at("epoch").get_to(p.epoch);
  json.at("step_in_epoch").get_to(p.step_in_epoch);
  json.at("seen").get_to(p.seen);
  json.at("correct").get_to(p.correct);
  json.at("loss_sum").get_to(p.loss_sum);
  json.at("test_accuracy").get_to(p.test_accuracy);
  json.at("best_accuracy").get_to(p.best_accuracy);
  json.at("best_epoch").get_to(p.best_epoch);
  return p;
}

const engine::TensorView* find(const Container& container, const std::string& name) {
  for (const TensorEntry& entry : container.tensors) {
    if (entry.name == name) return &entry.tensor;
  }
  return nullptr;
}

std::vector<float> floats_of(const Container& container, const std::string& name) {
  const engine::TensorView* view = find(container, name);
  if (view == nullptr || view->dtype != DType::F32)
    throw std::runtime_error("no float tensor '" + name + "'");
  std::vector<float> values(view->bytes.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), view->bytes.data(), view->bytes.size());
  return values;
}

constexpr const char* kMeanPicture = "input.mean_picture";

Preprocessing preprocessing_of(const Container& container, float divisor) {
  if (find(container, kMeanPicture) == nullptr)
    return {.mean = floats_of(container, "input.mean"), .std = floats_of(container, "input.std")};
  Preprocessing preprocessing;
  preprocessing.mean_picture = floats_of(container, kMeanPicture);
  preprocessing.divisor = divisor;
  return preprocessing;
}

void add_preprocessing(const Preprocessing& preprocessing, Container& container) {
  if (!preprocessing.mean_picture.empty()) {
    container.tensors.push_back(entry_of(kMeanPicture, preprocessing.mean_picture));
    return;
  }
  container.tensors.push_back(entry_of("input.mean", preprocessing.mean));
  container.tensors.push_back(entry_of("input.std", preprocessing.std));
}

/// A value of the metadata, by what is said where it is missing or damaged.
const std::string& metadata_of(const Container& container, const std::string& key) {
  const auto found = container.metadata.find(key);
  if (found == container.metadata.end()) throw std::runtime_error("it has no '" + key + "'");
  return found->second;
}

template <class Read>
auto read_metadata(const Container& container, const std::string& key, const Read& read) {
  try {
    return read(nlohmann::json::parse(metadata_of(container, key)));
  } catch (const nlohmann::json::exception&) {
    throw std::runtime_error("its '" + key + "' is damaged");
  }
}

/// Training stops before it saves such numbers, and a quantizer would hide them.
void refuse_non_finite(const Container& container) {
  constexpr std::array<std::string_view, 3> kOfNet{"parameter.", "buffer.", "average."};
  for (const TensorEntry& entry : container.tensors) {
    const auto begins = [&](std::string_view kind) { return entry.name.starts_with(kind); };
    if (std::ranges::none_of(kOfNet, begins)) continue;
    const std::vector<float> values = floats_of(container, entry.name);
    if (!std::ranges::all_of(values, [](float value) { return std::isfinite(value); }))
      throw std::runtime_error("tensor '" + entry.name + "' holds numbers that are not finite");
  }
}

Task task_of(const Container& container, const nlohmann::json& json) {
  Task task;
  json.at("height").get_to(task.input.height);
  json.at("width").get_to(task.input.width);
  json.at("channels").get_to(task.input.channels);
  json.at("labels").get_to(task.labels);
  json.at("train_digest").get_to(task.train_digest);
  json.at("test_digest").get_to(task.test_digest);
  const engine::TensorView* sample = find(container, "input.sample");
  const std::size_t pixels = task.input.height * task.input.width * task.input.channels;
  task.preprocessing = preprocessing_of(container, json.at("divisor").get<float>());
  const Preprocessing& how = task.preprocessing;
  const bool fits = how.mean_picture.empty()
                        ? how.mean.size() == task.input.channels && how.std.size() == task.input.channels
                        : how.mean_picture.size() == pixels;
  if (sample == nullptr || sample->dtype != DType::U8 || sample->bytes.size() != pixels || !fits) {
    throw std::runtime_error("its input description does not fit pictures of " + to_string(task.input));
  }
  task.sample.resize(pixels);
  std::memcpy(task.sample.data(), sample->bytes.data(), pixels);
  return task;
}

}  // namespace

std::vector<std::byte> serialize_checkpoint(const CheckpointParts& parts) {
  const Task& task = parts.task;
  Container container;
  container.metadata[kVersionKey] = kVersion;
  container.metadata["progress"] = json_of(parts.progress).dump();
  container.metadata["settings"] = parts.identity.settings;
  if (!parts.identity.teacher.empty()) container.metadata[kTeacherKey] = parts.identity.teacher;
  const nlohmann::json described{{"height", task.input.height},           {"width", task.input.width},
                                 {"channels", task.input.channels},       {"labels", task.labels},
                                 {"divisor", task.preprocessing.divisor}, {"train_digest", task.train_digest},
                                 {"test_digest", task.test_digest}};
  container.metadata["task"] = described.dump();
  for (const NamedParameter& p : named_parameters(parts.net)) {
    container.tensors.push_back(entry_of("parameter." + p.name, p.parameter->variable.value()));
  }
  for (const NamedBuffer& b : named_buffers(parts.net))
    container.tensors.push_back(entry_of("buffer." + b.name, *b.buffer));
  parts.optimizer.visit_state([&](const std::string& name, Tensor& tensor) {
    container.tensors.push_back(entry_of("optimizer." + name, tensor));
  });
  if (parts.average != nullptr) {
    parts.average->visit_state([&](const std::string& name, Tensor& tensor) {
      container.tensors.push_back(entry_of("average." + name, tensor));
    });
  }
  add_preprocessing(task.preprocessing, container);
  container.tensors.push_back({.name = "input.sample",
                               .tensor = {.dtype = DType::U8,
                                          .shape = {task.sample.size()},
                                          .bytes = std::as_bytes(std::span(task.sample))}});
  return cli::take(engine::serialize_safetensors(container));
}

CheckpointReader::CheckpointReader(const std::string& path) : path_(path), bytes_(read_file_bytes(path)) {
  auto container = engine::parse_safetensors(bytes_);
  if (!container.ok()) {
    throw cli::CommandError(cli::ExitCode::BadInput, path + ": " + container.status().message());
  }
  container_ = std::move(container).value();
  try {
    if (container_.metadata[kVersionKey] != kVersion)
      throw std::runtime_error("not a checkpoint of this version");
    progress_ = read_metadata(container_, "progress", progress_of);
    task_ = read_metadata(container_, "task",
                          [&](const nlohmann::json& json) { return task_of(container_, json); });
    identity_ = {.settings = metadata_of(container_, "settings"),
                 .teacher = container_.metadata[kTeacherKey]};
    refuse_non_finite(container_);
  } catch (const std::exception& error) {
    throw cli::CommandError(cli::ExitCode::BadInput, path + ": " + error.what());
  }
}

void CheckpointReader::refuse_other_settings(const Config& config) const {
  const auto change = changed_setting(identity_.settings, config);
  if (!change) return;
  throw cli::CommandError(cli::ExitCode::BadInput,
                          path_ + " is a checkpoint of " + net_text(identity_.settings) +
                              ", and the config beside it is another: " + *change +
                              "; put the old file or value back, or start a new run with another --out");
}

void CheckpointReader::copy_tensor(const std::string& name, Tensor& into) const {
  const engine::TensorView* view = find(container_, name);
  const std::vector<std::size_t> wanted = dims_of(into.shape());
  if (view == nullptr) throw cli::CommandError(cli::ExitCode::BadInput, path_ + ": no tensor '" + name + "'");
  if (view->dtype != DType::F32 || view->shape != wanted) {
    throw cli::CommandError(cli::ExitCode::BadInput, path_ + ": tensor '" + name + "' is " +
                                                         text_of(view->shape) +
                                                         ", the net of config.json wants " + text_of(wanted));
  }
  std::memcpy(into.mutable_data(), view->bytes.data(), view->bytes.size());
}

void CheckpointReader::restore(Module& net) const {
  for (const NamedParameter& p : named_parameters(net)) {
    copy_tensor("parameter." + p.name, p.parameter->variable.mutable_value());
  }
  for (const NamedBuffer& b : named_buffers(net)) copy_tensor("buffer." + b.name, *b.buffer);
}

void CheckpointReader::restore(Optimizer& optimizer) const {
  optimizer.visit_state(
      [&](const std::string& name, Tensor& tensor) { copy_tensor("optimizer." + name, tensor); });
}

void CheckpointReader::restore(WeightAverage& average) const {
  average.visit_state(
      [&](const std::string& name, Tensor& tensor) { copy_tensor("average." + name, tensor); });
}

void CheckpointReader::restore_averaged(Module& net) const {
  for (const NamedParameter& p : named_parameters(net)) {
    copy_tensor("average." + p.name, p.parameter->variable.mutable_value());
  }
  for (const NamedBuffer& b : named_buffers(net)) {
    copy_tensor((is_averaged_buffer(b.name) ? "average." : "buffer.") + b.name, *b.buffer);
  }
}

}  // namespace bitplane::train
