// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <utility>

#include "bitplane/engine.h"
#include "io/file_image.h"
#include "io/no_throw.h"
#include "lowering/passes.h"
#include "model/parse_model.h"
#include "runtime/model_impl.h"

namespace bitplane::engine {

Model::Model(std::shared_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}

Result<std::shared_ptr<Model::Impl>> make_model_impl(ModelSpec spec, std::vector<NodeShape> shapes,
                                                     std::shared_ptr<WeightsFile> file) {
  Result<Program> program = lower(spec, shapes);
  if (!program.ok()) return program.status();
  return std::make_shared<Model::Impl>(std::move(spec), std::move(shapes), std::move(program).value(),
                                       std::move(file));
}

namespace {

/// Views become arrays of the spec's own: the memory of a model that was loaded comes and goes with the uses
/// of that model, and nobody would look whether its file is still the one that was checked.
class OwnWeights {
 public:
  Status of(ModelSpec& spec) {
    Status status;
    for (Node& node : spec.nodes) {
      if (auto* conv = std::get_if<Conv2d>(&node.op)) status = of(conv->weights);
      if (auto* linear = std::get_if<Linear>(&node.op)) status = of(linear->weights);
      if (!status.ok()) break;
    }
    return status;
  }

 private:
  Status of(Weights& weights) {
    if (auto* floats = std::get_if<FloatWeights>(&weights)) return of(floats->values);
    if (auto* planes = std::get_if<PlaneWeights>(&weights)) return of(planes->planes.words);
    return of(std::get<CodebookWeights>(weights).indices.words);
  }
  template <class T>
  Status of(Values<T>& values) {
    if (values.memory() == nullptr) return {};
    Result<std::shared_ptr<const void>> held = values.memory()->hold();
    if (!held.ok()) return held.status();
    held_.push_back(std::move(held).value());
    static_cast<void>(values.own());
    return {};
  }

  std::vector<std::shared_ptr<const void>> held_;  ///< to the end: a file is read once, not for each array
};

}  // namespace

Result<std::shared_ptr<Model::Impl>> Model::Impl::resized(std::size_t height, std::size_t width) {
  const std::lock_guard lock(sizes_mutex_);
  const auto known = sizes_.find({height, width});
  if (known != sizes_.end()) {
    if (std::shared_ptr<Impl> live = known->second.lock()) return live;
  }
  ModelSpec other = spec;
  other.input.height = height;
  other.input.width = width;
  other.golden = {};  // of the trained size, as the number of labels may be
  other.labels.clear();
  const auto refused = [&](const Status& status) {
    return Status(status.code(), "pictures of " + std::to_string(height) + 'x' + std::to_string(width) +
                                     " (the model is for " + std::to_string(spec.input.height) + 'x' +
                                     std::to_string(spec.input.width) + "): " + status.message());
  };
  Result<std::vector<NodeShape>> other_shapes = validate(other);
  if (!other_shapes.ok()) return refused(other_shapes.status());
  Result<std::shared_ptr<Impl>> made =
      make_model_impl(std::move(other), std::move(other_shapes).value(), file);
  if (!made.ok()) return refused(made.status());
  // Who asks for ever new sizes must not fill the memory with those that nobody uses any more.
  std::erase_if(sizes_, [](const auto& size) { return size.second.expired(); });
  sizes_.insert_or_assign({height, width}, made.value());
  return made;
}

std::size_t Model::Impl::packed_bytes() {
  std::size_t bytes = packed.packed_bytes();
  const std::lock_guard lock(sizes_mutex_);
  for (const auto& [size, other] : sizes_) {
    if (const std::shared_ptr<Impl> live = other.lock()) bytes += live->packed.packed_bytes();
  }
  return bytes;
}

Result<Model> Model::from_spec(ModelSpec spec) {
  return no_throw([&]() -> Result<Model> {
    if (Status status = OwnWeights().of(spec); !status.ok()) return status;
    Result<std::vector<NodeShape>> shapes = validate(spec);
    if (!shapes.ok()) return shapes.status();
    Result<std::shared_ptr<Impl>> impl =
        make_model_impl(std::move(spec), std::move(shapes).value(), std::make_shared<WeightsFile>(nullptr));
    if (!impl.ok()) return impl.status();
    return Model(std::move(impl).value());
  });
}

Result<Model> Model::load_image(std::shared_ptr<FileImage> image) {
  const std::span<const std::byte> bytes = image->bytes();
  auto file = std::make_shared<WeightsFile>(std::move(image));
  Result<ParsedModel> parsed = parse_model_in(bytes, file);
  if (!parsed.ok()) return parsed.status();
  if (Status status = file->note_digest(); !status.ok()) return status;
  Result<std::shared_ptr<Impl>> impl =
      make_model_impl(std::move(parsed->spec), std::move(parsed->shapes), std::move(file));
  if (!impl.ok()) return impl.status();
  impl.value()->file_bytes = bytes.size();
  return Model(std::move(impl).value());
}

Result<Model> Model::load(std::span<const std::byte> bytes, const LoadOptions& options) {
  return no_throw([&]() -> Result<Model> {
    if (bytes.size() > options.max_bytes) {
      return Status(StatusCode::InvalidFile, "the model has " + std::to_string(bytes.size()) +
                                                 " bytes, more than the limit of " +
                                                 std::to_string(options.max_bytes));
    }
    return load_image(FileImage::copy(bytes));
  });
}

Result<Model> Model::load(const std::string& path, const LoadOptions& options) {
  return no_throw([&]() -> Result<Model> {
    Result<std::shared_ptr<FileImage>> image = FileImage::read(path, options.max_bytes);
    if (!image.ok()) return image.status();
    Result<Model> model = load_image(std::move(image).value());
    if (model.ok()) return model;
    return Status(model.status().code(), path + ": " + model.status().message());
  });
}

InputShape Model::input() const noexcept {
  const InputSpec& input = impl_->spec.input;
  return {input.height, input.width, input.channels};
}

std::size_t Model::output_size() const noexcept {
  const NodeShape& shape = impl_->program.values[impl_->program.output].shape;
  return shape.height * shape.width * shape.channels;
}

std::span<const std::string> Model::input_names() const noexcept {
  return impl_->input_names;
}
std::span<const std::string> Model::output_names() const noexcept {
  return impl_->output_names;
}
std::span<const std::string> Model::labels() const noexcept {
  return impl_->spec.labels;
}
const ModelSpec& Model::spec() const noexcept {
  return impl_->spec;
}
std::size_t Model::file_bytes() const noexcept {
  return impl_->file_bytes;
}
std::size_t Model::memory_bytes() const noexcept {
  return impl_->packed_bytes() + impl_->file->resident_bytes();
}

}  // namespace bitplane::engine
