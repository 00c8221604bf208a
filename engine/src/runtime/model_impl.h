// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "bitplane/engine.h"
#include "bitplane/model_spec.h"
#include "lowering/program.h"
#include "model/describe_model.h"
#include "runtime/packed_weights.h"
#include "runtime/weights_file.h"

namespace bitplane::engine {

/// A model at one input size. Immutable once made, but for the caches (packed weights, other sizes), which
/// lock themselves.
struct Model::Impl {
  Impl(ModelSpec model_spec, std::vector<NodeShape> node_shapes, Program lowered,
       std::shared_ptr<WeightsFile> weights_file)
      : spec(std::move(model_spec)),
        shapes(std::move(node_shapes)),
        program(std::move(lowered)),
        packed(spec, program),
        file(std::move(weights_file)),
        input_names{std::string(kInputName)},
        output_names{spec.output} {}

  /// The model at another input size, shared by the sessions of that size that live at the same time. The
  /// caller holds a WeightsFile::Use. Throws std::bad_alloc.
  [[nodiscard]] Result<std::shared_ptr<Impl>> resized(std::size_t height, std::size_t width);
  /// Of this size and of the others in use.
  [[nodiscard]] std::size_t packed_bytes();

  ModelSpec spec;
  std::vector<NodeShape> shapes;  ///< of spec.nodes
  Program program;
  PackedWeights packed;
  std::shared_ptr<WeightsFile> file;
  std::size_t file_bytes = 0;
  std::vector<std::string> input_names, output_names;

 private:
  std::mutex sizes_mutex_;
  std::map<std::pair<std::size_t, std::size_t>, std::weak_ptr<Impl>> sizes_;  ///< by height, width
};

/// validate() was here. Throws std::bad_alloc.
[[nodiscard]] Result<std::shared_ptr<Model::Impl>> make_model_impl(ModelSpec spec,
                                                                   std::vector<NodeShape> shapes,
                                                                   std::shared_ptr<WeightsFile> file);

}  // namespace bitplane::engine
