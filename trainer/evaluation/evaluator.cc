// SPDX-License-Identifier: Apache-2.0
#include "trainer/evaluation/evaluator.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <stdexcept>
#include <utility>
#include <variant>

#include "trainer/evaluation/arithmetic.h"
#include "trainer/evaluation/float_steps.h"
#include "trainer/evaluation/plane_conv.h"
#include "trainer/evaluation/product.h"

namespace bitplane::train {
namespace {

constexpr std::size_t kPictureSlot = 0;

}  // namespace

/// Turns the graph into steps: one overload of add() per operation.
struct Evaluator::Builder {
  Evaluator& evaluator;
  const engine::ModelSpec& spec;
  const kernels::F32Kernels& kernels;
  std::map<std::string, Meaning> nodes;

  std::size_t new_slot() { return evaluator.slots_++; }

  /// run(from, to, scratch)
  template <class RunOfOne>
  Meaning add_step(const Meaning& in, const engine::NodeShape& shape, RunOfOne run) {
    return add_join({in}, shape, [run = std::move(run)](Inputs from, Slot& to, Scratch& scratch) {
      run(*from[0], to, scratch);
    });
  }

  Meaning add_join(const std::vector<Meaning>& inputs, const engine::NodeShape& shape, Run run) {
    Meaning out;
    out.slot = new_slot();
    out.shape = shape;
    Step step{.in = {}, .out = out.slot, .run = std::move(run)};
    for (const Meaning& in : inputs) step.in.push_back(in.slot);
    evaluator.steps_.push_back(std::move(step));
    return out;
  }

  static void require_values(const Meaning& in, const char* what) {
    if (in.quantize != nullptr)
      throw std::invalid_argument(std::string(what) + " behind a quantizer is not defined");
  }

  /// The values that whoever is not a batch norm or a pooling sees: scale and bias applied.
  Meaning resolved(const Meaning& in) {
    if (!in.pending()) return in;
    return add_affine(in, fold_scale(in.pending_scale, in.pending_bias));
  }

  Meaning add_affine(const Meaning& in, ChannelAffine affine) {
    return add_step(in, in.shape, [affine = std::move(affine)](const Slot& from, Slot& to, Scratch&) {
      to.values.resize(from.values.size());
      apply_affine(affine, from.values, to.values);
    });
  }

  Meaning add_product(const Product& product, const Meaning& in) {
    const kernels::ConvShape& shape = product.shape;
    if (!product.bias.empty() && product.bias.size() != shape.out_channels) {
      throw std::invalid_argument(std::to_string(product.bias.size()) + " biases for " +
                                  std::to_string(shape.out_channels) + " channels");
    }
    Meaning out = std::holds_alternative<engine::PlaneWeights>(product.weights)
                      ? add_plane_product(product, in)
                      : add_float_product(product, in);
    out.shape = {.height = shape.out_height(), .width = shape.out_width(), .channels = shape.out_channels};
    out.pending_bias = product.bias;
    return out;
  }

  Meaning add_float_product(const Product& product, const Meaning& before) {
    require_values(before, "a float layer");
    const Meaning in = resolved(before);
    auto conv = std::make_shared<const kernels::F32Conv>(product.shape);
    const auto* floats = std::get_if<engine::FloatWeights>(&product.weights);
    auto panels = std::make_shared<const std::vector<kernels::F32Panels>>(pack_float_weights(
        product.shape,
        floats != nullptr ? floats->values : values_of(std::get<engine::CodebookWeights>(product.weights))));
    evaluator.padded_floats_ = std::max(evaluator.padded_floats_, conv->scratch_floats());
    const auto run = [conv, panels, f32 = &kernels](const Slot& from, Slot& to, Scratch& scratch) {
      const kernels::ConvShape& shape = conv->shape();
      to.values.resize(shape.out_pixels() * shape.out_channels);
      conv->forward(*f32, from.values.data(), panels->data(), to.values.data(),
                    {.begin = 0, .end = shape.out_height()}, scratch.padded.data());
    };
    Meaning out = add_step(in, {}, run);
    out.pending_scale.assign(product.shape.out_channels, 1.0);
    return out;
  }

  /// The picture's bytes as the one activation plane of integers u - m, whose multiple is 1: exact as floats.
  Meaning picture_bytes(const Meaning& in) {
    std::vector<int> zero;
    for (const float mean : spec.input.mean) {
      const double byte = std::floor(255.0 * static_cast<double>(mean) + 0.5);
      if (!(byte >= 0.0 && byte <= 255.0) || static_cast<float>(byte / 255.0) != mean)
        throw std::invalid_argument("weight planes on the picture need means of whole bytes");
      zero.push_back(static_cast<int>(byte));
    }
    static const engine::Quantize kBytes{
        .bits = 1, .basis = engine::UniformBasis{{1.0F}}, .thresholds = {}, .code_of_rank = {}};
    Meaning out = add_step(in, in.shape, [zero = std::move(zero)](const Slot& from, Slot& to, Scratch&) {
      to.planes.resize(from.codes.size());
      for (std::size_t e = 0; e < from.codes.size(); ++e)
        to.planes[e] = static_cast<float>(static_cast<int>(from.codes[e]) - zero[e % zero.size()]);
    });
    out.quantize = &kBytes;
    return out;
  }

  Meaning add_plane_product(const Product& product, const Meaning& before) {
    const Meaning in = before.slot == kPictureSlot ? picture_bytes(before) : before;
    if (in.quantize == nullptr) throw std::invalid_argument("weight planes need a quantized input");
    auto conv = std::make_shared<const PlaneConv>(
        product.shape, std::get<engine::PlaneWeights>(product.weights), *in.quantize);
    evaluator.padded_floats_ = std::max(evaluator.padded_floats_, conv->scratch_floats());
    evaluator.product_floats_ = std::max(evaluator.product_floats_, conv->product_floats());
    const std::size_t size = product.shape.out_pixels() * product.shape.out_channels;
    const std::size_t plane_floats = elements(in.shape) * conv->input_planes();
    const auto run = [conv, f32 = &kernels, size, plane_floats](const Slot& from, Slot& to,
                                                                Scratch& scratch) {
      to.values.resize(size);
      std::vector<float> with_ones;
      const float* planes = from.planes.data();
      if (plane_floats > from.planes.size()) {
        with_ones = from.planes;
        with_ones.resize(plane_floats, 1.0F);
        planes = with_ones.data();
      }
      conv->run(*f32, {.planes = planes,
                       .products = scratch.products.data(),
                       .scratch = scratch.padded.data(),
                       .z = to.values.data()});
    };
    Meaning out = add_step(in, {}, run);
    for (std::size_t o = 0; o < product.shape.out_channels; ++o) {
      out.pending_scale.push_back(conv->weights().scale_of(o) * conv->activations().scale_of(0));
    }
    return out;
  }

  Meaning add(const engine::Conv2d& conv, const std::string& /*name*/, const Meaning& in) {
    return add_product(product_of(conv, in.shape), in);
  }
  Meaning add(const engine::Linear& linear, const std::string& /*name*/, const Meaning& in) {
    return add_product(product_of(linear, in.shape), in);
  }

  Meaning add(const engine::BatchNorm& bn, const std::string& /*name*/, const Meaning& in) {
    require_values(in, "a batch norm");
    if (in.pending()) return add_affine(in, fold_batch_norm(bn, in.pending_scale, in.pending_bias));
    return add_affine(in, fold_batch_norm(bn, std::vector<double>(in.shape.channels, 1.0), {}));
  }

  Meaning add(const engine::Relu& /*relu*/, const std::string& /*name*/, const Meaning& before) {
    require_values(before, "a ReLU");
    const Meaning in = resolved(before);
    return add_step(in, in.shape, [](const Slot& from, Slot& to, Scratch&) {
      to.values.resize(from.values.size());
      apply_relu(from.values, to.values);
    });
  }

  Meaning add(const engine::Quantize& quantize, const std::string& name, const Meaning& before) {
    require_values(before, "a quantizer");
    const Meaning in = resolved(before);
    const std::size_t levels = std::size_t{1} << quantize.bits;
    if (quantize.thresholds.size() != levels - 1 || quantize.code_of_rank.size() != levels) {
      throw std::invalid_argument("a quantizer of " + std::to_string(quantize.bits) + " bits with " +
                                  std::to_string(quantize.thresholds.size()) + " thresholds");
    }
    Meaning out = add_step(in, in.shape, [quantize](const Slot& from, Slot& to, Scratch&) {
      to.codes.resize(from.values.size());
      to.planes.resize(from.values.size() * quantize.bits);
      apply_quantize(quantize, from.values, to.codes, to.planes);
    });
    out.quantize = &quantize;
    evaluator.quantizers_.push_back(
        {.name = name, .height = in.shape.height, .width = in.shape.width, .channels = in.shape.channels});
    evaluator.quantizer_slots_.push_back(out.slot);
    return out;
  }

  Meaning add(const engine::Dequantize& /*op*/, const std::string& /*name*/, const Meaning& in) {
    if (in.quantize == nullptr) throw std::invalid_argument("there are no codes to dequantize");
    return add_step(in, in.shape,
                    [levels = levels_of_codes(*in.quantize)](const Slot& from, Slot& to, Scratch&) {
                      to.values.clear();
                      for (const std::uint8_t code : from.codes) to.values.push_back(levels[code]);
                    });
  }

  Meaning add(const engine::MaxPool& pool, const std::string& /*name*/, const Meaning& in) {
    require_values(in, "a max-pooling");
    const WindowGeometry geometry = make_window_geometry(pool, in.shape);
    const engine::NodeShape shape{geometry.out_height, geometry.out_width, in.shape.channels};
    Meaning out =
        add_step(in, shape, [geometry, pool, size = elements(shape)](const Slot& from, Slot& to, Scratch&) {
          to.values.resize(size);
          apply_max_pool(geometry, pool, from.values, to.values);
        });
    out.pending_scale = in.pending_scale;
    out.pending_bias = in.pending_bias;
    return out;
  }

  Meaning add(const engine::GlobalAveragePool& /*pool*/, const std::string& /*name*/, const Meaning& before) {
    require_values(before, "an average pooling");
    const Meaning in = resolved(before);
    const std::size_t channels = in.shape.channels;
    return add_step(in, {1, 1, channels}, [channels](const Slot& from, Slot& to, Scratch&) {
      to.values.resize(channels);
      apply_global_average(channels, from.values, to.values);
    });
  }

  /// A step that reads values and writes `shape`: apply(x, y).
  template <class Apply>
  Meaning add_values(const Meaning& before, const engine::NodeShape& shape, Apply apply) {
    require_values(before, "this operation");
    return add_step(resolved(before), shape,
                    [size = elements(shape), apply = std::move(apply)](const Slot& from, Slot& to, Scratch&) {
                      to.values.resize(size);
                      apply(std::span<const float>(from.values), std::span<float>(to.values));
                    });
  }

  Meaning add(const engine::AveragePool& pool, const std::string& /*name*/, const Meaning& in) {
    const WindowGeometry geometry = make_window_geometry(pool, in.shape);
    const engine::NodeShape shape{geometry.out_height, geometry.out_width, in.shape.channels};
    return add_values(in, shape, [geometry, pool](std::span<const float> x, std::span<float> y) {
      apply_average_pool(geometry, pool, x, y);
    });
  }

  Meaning add(const engine::ZeroChannelShortcut& op, const std::string& /*name*/, const Meaning& in) {
    const auto shrunk = [](std::size_t size, std::size_t stride) { return (size + stride - 1) / stride; };
    const engine::NodeShape shape{shrunk(in.shape.height, op.stride_h), shrunk(in.shape.width, op.stride_w),
                                  op.front + in.shape.channels + op.back};
    return add_values(in, shape, [op, from = in.shape](std::span<const float> x, std::span<float> y) {
      apply_shortcut(op, from, x, y);
    });
  }

  Meaning add(const engine::LocalResponseNorm& op, const std::string& /*name*/, const Meaning& in) {
    return add_values(in, in.shape, [op, shape = in.shape](std::span<const float> x, std::span<float> y) {
      apply_local_response(op, shape, x, y);
    });
  }

  Meaning add(const engine::Softmax& /*op*/, const std::string& /*name*/, const Meaning& in) {
    return add_values(in, in.shape,
                      [channels = in.shape.channels](std::span<const float> x, std::span<float> y) {
                        apply_softmax(channels, x, y);
                      });
  }

  Meaning add(const engine::Identity& /*op*/, const std::string& /*name*/, const Meaning& in) { return in; }

  Meaning add(const engine::Add& /*op*/, const std::string& /*name*/, const std::vector<Meaning>& before) {
    if (before.size() != 2) throw std::invalid_argument(std::to_string(before.size()) + " inputs to add");
    const std::vector<Meaning> inputs = all_resolved(before);
    if (!(inputs[0].shape == inputs[1].shape)) throw std::invalid_argument("a sum of two shapes");
    return add_join(inputs, inputs[0].shape, [](Inputs from, Slot& to, Scratch&) {
      to.values = from[0]->values;
      for (std::size_t e = 0; e < to.values.size(); ++e) to.values[e] += from[1]->values[e];
    });
  }

  Meaning add(const engine::Concat& /*op*/, const std::string& /*name*/, const std::vector<Meaning>& before) {
    const std::vector<Meaning> inputs = all_resolved(before);
    engine::NodeShape shape = inputs.front().shape;
    shape.channels = 0;
    for (const Meaning& in : inputs) {
      if (in.shape.height != shape.height || in.shape.width != shape.width)
        throw std::invalid_argument("a concatenation of maps of two sizes");
      shape.channels += in.shape.channels;
    }
    return add_join(inputs, shape, [shape](Inputs from, Slot& to, Scratch&) {
      const std::size_t pixels = shape.height * shape.width;
      to.values.clear();
      for (std::size_t p = 0; p < pixels; ++p) {
        for (const Slot* part : from) {
          const auto channels = static_cast<std::ptrdiff_t>(part->values.size() / pixels);
          const auto first = part->values.begin() + static_cast<std::ptrdiff_t>(p) * channels;
          to.values.insert(to.values.end(), first, first + channels);
        }
      }
    });
  }

  std::vector<Meaning> all_resolved(const std::vector<Meaning>& before) {
    std::vector<Meaning> inputs;
    for (const Meaning& in : before) {
      require_values(in, "a sum or a concatenation");
      inputs.push_back(resolved(in));
    }
    return inputs;
  }

  Meaning add(const engine::Flatten& /*flatten*/, const std::string& /*name*/, const Meaning& before) {
    // The order (row, column, channel) is how every slot lies in memory.
    Meaning out = before.quantize == nullptr ? resolved(before) : before;
    out.shape = {1, 1, elements(before.shape)};
    return out;
  }

  std::vector<Meaning> inputs_of(const engine::Node& node) const {
    if (node.inputs.empty()) throw std::invalid_argument("it has no input");
    std::vector<Meaning> inputs;
    for (const std::string& name : node.inputs) {
      const auto input = nodes.find(name);
      if (input == nodes.end()) throw std::invalid_argument("its input '" + name + "' does not exist");
      inputs.push_back(input->second);
    }
    return inputs;
  }

  Meaning add(const engine::Node& node) {
    try {
      const std::vector<Meaning> inputs = inputs_of(node);
      return std::visit(
          [&](const auto& op) {
            if constexpr (requires { add(op, node.name, inputs); }) {
              return add(op, node.name, inputs);
            } else {
              if (inputs.size() != 1)
                throw std::invalid_argument("it has " + std::to_string(inputs.size()) + " inputs");
              return add(op, node.name, inputs[0]);
            }
          },
          node.op);
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument("node '" + node.name + "': " + error.what());
    }
  }
};

Evaluator::Evaluator(const engine::ModelSpec& spec, kernels::CpuFeatures features) {
  picture_size_ = spec.input.height * spec.input.width * spec.input.channels;
  for (std::size_t c = 0; c < spec.input.channels; ++c) {
    const auto deviation = static_cast<double>(spec.input.std[c]);
    input_scale_.push_back(static_cast<float>(1.0 / (255.0 * deviation)));
    input_shift_.push_back(static_cast<float>(-static_cast<double>(spec.input.mean[c]) / deviation));
  }
  Builder builder{.evaluator = *this, .spec = spec, .kernels = kernels::select_f32(features), .nodes = {}};
  Meaning input;
  input.slot = builder.new_slot();
  input.shape = {spec.input.height, spec.input.width, spec.input.channels};
  builder.nodes.emplace("input", input);
  for (const engine::Node& node : spec.nodes) builder.nodes.insert_or_assign(node.name, builder.add(node));
  const auto output = builder.nodes.find(spec.output);
  if (output == builder.nodes.end())
    throw std::invalid_argument("the output '" + spec.output + "' does not exist");
  Builder::require_values(output->second, "the output");
  const Meaning result = builder.resolved(output->second);
  output_slot_ = result.slot;
  classes_ = elements(result.shape);
}

void Evaluator::run(std::span<const std::uint8_t> picture, Worker& worker) const {
  std::vector<float>& x = worker.slots_[kPictureSlot].values;
  worker.slots_[kPictureSlot].codes.assign(picture.begin(), picture.end());
  const std::size_t channels = input_scale_.size();
  x.resize(picture.size());
  for (std::size_t e = 0; e < picture.size(); ++e) {
    x[e] = std::fma(static_cast<float>(picture[e]), input_scale_[e % channels], input_shift_[e % channels]);
  }
  for (const Step& step : steps_) {
    worker.inputs_.clear();
    for (const std::size_t slot : step.in) worker.inputs_.push_back(&worker.slots_[slot]);
    step.run(worker.inputs_, worker.slots_[step.out], worker.scratch_);
  }
}

Evaluator::Worker::Worker(const Evaluator& evaluator)
    : evaluator_(&evaluator),
      slots_(evaluator.slots_),
      inputs_(),
      scratch_{.padded = kernels::AlignedArray<float>(evaluator.padded_floats_),
               .products = kernels::AlignedArray<float>(evaluator.product_floats_)} {}

std::span<const float> Evaluator::Worker::logits() const noexcept {
  return slots_[evaluator_->output_slot_].values;
}

std::span<const std::uint8_t> Evaluator::Worker::codes(std::size_t quantizer) const noexcept {
  return slots_[evaluator_->quantizer_slots_[quantizer]].codes;
}

}  // namespace bitplane::train
