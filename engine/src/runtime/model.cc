// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <utility>

#include "bitplane/engine.h"
#include "io/no_throw.h"
#include "io/read_file.h"
#include "lowering/passes.h"
#include "runtime/model_impl.h"

namespace bitplane::engine {

Model::Model(std::shared_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}

Result<Model> Model::from_spec(ModelSpec spec) {
  return no_throw([&]() -> Result<Model> {
    Result<std::vector<NodeShape>> shapes = validate(spec);
    if (!shapes.ok()) return shapes.status();
    Result<Program> program = lower(spec, shapes.value());
    if (!program.ok()) return program.status();
    return Model(
        std::make_shared<Impl>(std::move(spec), std::move(shapes).value(), std::move(program).value()));
  });
}

Result<Model> Model::load(std::span<const std::byte> bytes, const LoadOptions& options) {
  return no_throw([&]() -> Result<Model> {
    if (bytes.size() > options.max_bytes) {
      return Status(StatusCode::InvalidFile, "the model has " + std::to_string(bytes.size()) +
                                                 " bytes, more than the limit of " +
                                                 std::to_string(options.max_bytes));
    }
    Result<ModelSpec> spec = parse_model(bytes);
    if (!spec.ok()) return spec.status();
    Result<Model> model = from_spec(std::move(spec).value());
    if (model.ok()) model->impl_->file_bytes = bytes.size();
    return model;
  });
}

Result<Model> Model::load(const std::string& path, const LoadOptions& options) {
  return no_throw([&]() -> Result<Model> {
    Result<std::vector<std::byte>> bytes = read_file(path, options.max_bytes);
    if (!bytes.ok()) return bytes.status();
    Result<Model> model = load(bytes.value(), options);
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

std::span<const std::string> Model::labels() const noexcept {
  return impl_->spec.labels;
}
const ModelSpec& Model::spec() const noexcept {
  return impl_->spec;
}
std::size_t Model::file_bytes() const noexcept {
  return impl_->file_bytes;
}

}  // namespace bitplane::engine
