// SPDX-License-Identifier: Apache-2.0
#include "trainer/interchange/torch_file.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <map>
#include <span>

#include "bitplane/safetensors.h"
#include "engine/cli/shared/errors.h"
#include "engine/cli/shared/number_text.h"
#include "trainer/checkpoint/file.h"
#include "trainer/interchange/torch_view.h"
#include "trainer/nets/net_file.h"

namespace bitplane::train {
namespace {

using engine::DType;
using engine::TensorView;

std::string text_of(std::span<const std::size_t> dims) {
  std::string text = "[";
  for (std::size_t i = 0; i < dims.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(dims[i]);
  return text + "]";
}

bool holds_floats(const TensorView& view) {
  return view.dtype == DType::F32 || view.dtype == DType::F64;
}

std::vector<float> floats_of(const TensorView& view) {
  std::vector<float> values(view.bytes.size() / engine::dtype_size(view.dtype));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (view.dtype == DType::F32) {
      std::memcpy(&values[i], view.bytes.data() + i * sizeof(float), sizeof(float));
    } else {
      double wide = 0;
      std::memcpy(&wide, view.bytes.data() + i * sizeof(double), sizeof(double));
      values[i] = static_cast<float>(wide);
    }
  }
  return values;
}

std::string listed(const char* what, const std::vector<std::string>& names) {
  if (names.empty()) return "";
  std::string text = std::string("; ") + what + " " + std::to_string(names.size()) + ": ";
  for (std::size_t i = 0; i < names.size(); ++i) text += (i == 0 ? "" : ", ") + names[i];
  return text;
}

/// Takes what fits and notes what does not.
class Import {
 public:
  Import(std::string path, std::span<const engine::TensorEntry> entries) : path_(std::move(path)) {
    for (const engine::TensorEntry& entry : entries) left_[entry.name] = &entry.tensor;
  }

  void plan(const TorchView& view) {
    for (const TorchTensor& tensor : view.tensors) plan(tensor);
    for (const TorchFoldedBias& bias : view.folded) plan(bias);
    for (const std::string& counter : view.counters) left_.erase(counter);
    for (const std::string& name : view.left_out) left_.erase(name);
  }
  void check(std::string_view net_name, MissingValues missing) const {
    const std::vector<std::string> unused = unused_names();
    const bool complete = missing_.empty() && misshaped_.empty() && unused.empty();
    if (complete || (missing == MissingValues::Keep && !values_.empty())) return;
    throw cli::CommandError(
        cli::ExitCode::BadInput,
        path_ + " does not fit net '" + net_title(std::string(net_name)) + "'" + listed("missing", missing_) +
            listed("of another shape", misshaped_) + listed("not of this net", unused) +
            (values_.empty()
                 ? ""
                 : "; to keep the net's own start where the file does not fit: --init-missing keep"));
  }
  /// Such weights train to nothing, and no model file takes them.
  void check_numbers() const {
    for (const auto& [tensor, view] : values_) {
      const bool is_variance = tensor->name.ends_with("running_var");
      check_numbers(tensor->name, *view, is_variance ? Numbers::NotNegative : Numbers::Finite);
    }
    for (const auto& [bias, view] : folded_) check_numbers(bias->name, *view, Numbers::Finite);
  }
  ImportSummary carry_out() const {
    for (const auto& [tensor, view] : values_) tensor->from_torch(floats_of(*view).data());
    for (const auto& [bias, view] : folded_) {
      const std::vector<float> values = floats_of(*view);
      float* mean = bias->running_mean->mutable_data();
      for (std::size_t c = 0; c < values.size(); ++c) mean[c] -= values[c];
    }
    ImportSummary summary{
        .taken = values_.size() + folded_.size(), .kept = missing_, .unused = unused_names()};
    summary.kept.insert(summary.kept.end(), misshaped_.begin(), misshaped_.end());
    return summary;
  }

 private:
  enum class Numbers : std::uint8_t { Finite, NotNegative };

  void check_numbers(const std::string& name, const TensorView& view, Numbers wanted) const {
    const std::vector<float> values = floats_of(view);
    const auto bad = std::ranges::find_if(values, [&](float value) {
      return !std::isfinite(value) || (wanted == Numbers::NotNegative && value < 0.0F);
    });
    if (bad == values.end()) return;
    throw cli::CommandError(
        cli::ExitCode::BadInput,
        path_ + ": tensor '" + name + "' holds " + cli::shortest(*bad) + " at element " +
            std::to_string(bad - values.begin()) + ": a net needs " +
            (wanted == Numbers::Finite ? "finite numbers" : "finite variances of at least 0") +
            " within float32; write the file again from weights that are");
  }
  /// The file's tensor of this name, if it is there in this shape.
  const TensorView* take(const std::string& name, const std::vector<std::size_t>& wanted) {
    const auto it = left_.find(name);
    const TensorView& view = *it->second;
    left_.erase(it);
    if (view.shape == wanted && holds_floats(view)) return &view;
    misshaped_.push_back(name + " " + text_of(view.shape) + " " +
                         std::string(engine::dtype_name(view.dtype)) + " (wanted " + text_of(wanted) + ")");
    return nullptr;
  }
  void plan(const TorchTensor& tensor) {
    if (!left_.contains(tensor.name)) {
      missing_.push_back(tensor.name);
    } else if (const TensorView* view = take(tensor.name, tensor.shape())) {
      values_.emplace_back(&tensor, view);
    }
  }
  void plan(const TorchFoldedBias& bias) {
    if (!left_.contains(bias.name)) return;  // their net need not have one
    if (const TensorView* view = take(bias.name, {bias.running_mean->size()}))
      folded_.emplace_back(&bias, view);
  }
  [[nodiscard]] std::vector<std::string> unused_names() const {
    std::vector<std::string> names;
    for (const auto& [name, view] : left_) names.push_back(name);
    return names;
  }

  std::string path_;
  std::map<std::string, const TensorView*> left_;
  std::vector<std::string> missing_, misshaped_;
  std::vector<std::pair<const TorchTensor*, const TensorView*>> values_;
  std::vector<std::pair<const TorchFoldedBias*, const TensorView*>> folded_;
};

}  // namespace

ImportSummary import_torch_file(const std::string& path, Module& net, const TorchNet& names,
                                MissingValues missing) {
  const std::vector<std::byte> bytes = read_file_bytes(path);
  const auto container = engine::parse_safetensors(bytes);
  if (!container.ok()) {
    throw cli::CommandError(cli::ExitCode::BadInput,
                            path + ": " + container.status().message() +
                                "; write float32 with safetensors.torch.save_file(net.state_dict(), path)");
  }
  const TorchView view = torch_view(net, names);
  Import import(path, container->tensors);
  import.plan(view);
  import.check(names.name, missing);
  import.check_numbers();
  return import.carry_out();
}

std::vector<std::byte> torch_file_bytes(Module& net, const TorchNet& names) {
  static constexpr std::array<std::byte, sizeof(std::int64_t)> kZero{};
  const TorchView view = torch_view(net, names);
  std::vector<std::vector<float>> values;
  values.reserve(view.tensors.size());
  engine::Container container;
  container.metadata["format"] = "pt";
  for (const TorchTensor& tensor : view.tensors) {
    values.push_back(tensor.to_torch());
    container.tensors.push_back({.name = tensor.name,
                                 .tensor = {.dtype = DType::F32,
                                            .shape = tensor.shape(),
                                            .bytes = std::as_bytes(std::span(values.back()))}});
  }
  for (const std::string& counter : view.counters) {
    container.tensors.push_back(
        {.name = counter, .tensor = {.dtype = DType::I64, .shape = {}, .bytes = kZero}});
  }
  return cli::take(engine::serialize_safetensors(container));
}

}  // namespace bitplane::train
