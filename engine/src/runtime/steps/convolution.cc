// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cassert>

#include "runtime/steps/runner.h"

namespace bitplane::engine {
namespace {

/// z of a float convolution stays in a thread's cache until its epilogue has read it: this many floats at a
/// time.
constexpr std::size_t kChunkFloats = 32768;

std::size_t aligned(std::size_t bytes) noexcept {
  return (bytes + 63) / 64 * 64;
}

/// z by weights that are floats.
class FloatProduct {
 public:
  FloatProduct(const RunnerContext& context, std::size_t step, const kernels::ConvShape& shape)
      : kernels_(context.kernels.f32),
        panels_(context.model.packed.panels(step).data()),
        convolution_(shape) {}

  [[nodiscard]] const kernels::ConvShape& shape() const noexcept { return convolution_.shape(); }
  [[nodiscard]] std::size_t scratch_floats() const noexcept { return convolution_.scratch_floats(); }
  /// Does a call copy whole pictures, with their padding?
  [[nodiscard]] bool copies_pictures() const noexcept { return convolution_.scratch_floats() > 0; }
  void forward(const float* x, float* z, kernels::RowRange rows, float* scratch) const noexcept {
    convolution_.forward(*kernels_, x, panels_, z, rows, scratch);
  }

 private:
  const kernels::F32Kernels* kernels_;
  const kernels::F32Panels* panels_;
  kernels::F32Conv convolution_;
};

/// z by weights that are indices into levels: the same bits as FloatProduct on the levels themselves.
class CodebookProduct {
 public:
  CodebookProduct(const RunnerContext& context, std::size_t step, const kernels::ConvShape& shape)
      : kernels_(context.kernels.codebook),
        weights_(&context.model.packed.codebook(step)),
        convolution_(shape),
        padded_(shape.pad_h + shape.pad_w > 0) {}

  [[nodiscard]] const kernels::ConvShape& shape() const noexcept { return convolution_.shape(); }
  [[nodiscard]] std::size_t scratch_floats() const noexcept { return convolution_.scratch_floats(); }
  [[nodiscard]] bool copies_pictures() const noexcept { return padded_; }
  void forward(const float* x, float* z, kernels::RowRange rows, float* scratch) const noexcept {
    convolution_.forward(*kernels_, x, *weights_, z, rows, scratch);
  }

 private:
  const kernels::CodebookKernels* kernels_;
  const kernels::CodebookWeights* weights_;
  kernels::CodebookConv convolution_;
  bool padded_;
};

template <class Product>
class FloatConvolution final : public Runner {
 public:
  FloatConvolution(const RunnerContext& context, std::size_t step, const kernels::ConvShape& shape)
      : epilogues_(*context.kernels.epilogue),
        product_(context, step, shape),
        in_(context.place(context.model.program.steps[step].in)),
        epilogue_(make_epilogue(context, context.model.program.steps[step])) {
    // Padding copies a picture, once per call: so a call takes whole pictures there.
    const std::size_t unit = product_.copies_pictures() ? shape.out_height() : 1;
    chunk_rows_ = std::max<std::size_t>(1, kChunkFloats / (unit * row_floats())) * unit;
    chunk_rows_ = std::min(chunk_rows_, rows());
  }

  [[nodiscard]] std::size_t rows() const noexcept override { return shape().batch * shape().out_height(); }
  [[nodiscard]] std::size_t scratch_bytes() const noexcept override {
    return z_bytes() + product_.scratch_floats() * sizeof(float);
  }

  void run(kernels::RowRange range, const Buffers& buffers, std::byte* scratch) const noexcept override {
    auto* z = reinterpret_cast<float*>(scratch);
    auto* padded = reinterpret_cast<float*>(scratch + z_bytes());
    const kernels::Epilogue epilogue = epilogue_.in(buffers);
    for (std::size_t begin = range.begin; begin < range.end; begin += chunk_rows_) {
      const std::size_t end = std::min(begin + chunk_rows_, range.end);
      product_.forward(in_.read_floats(buffers), z, {begin, end}, padded);
      for (std::size_t row = begin; row < end; ++row) {
        epilogues_.apply(epilogue, {.z = z + (row - begin) * row_floats(),
                                    .row = row,
                                    .pixels = shape().out_width(),
                                    .channels = shape().out_channels});
      }
    }
  }

 private:
  [[nodiscard]] const kernels::ConvShape& shape() const noexcept { return product_.shape(); }
  [[nodiscard]] std::size_t row_floats() const noexcept { return shape().out_width() * shape().out_channels; }
  [[nodiscard]] std::size_t z_bytes() const noexcept {
    return aligned(chunk_rows_ * row_floats() * sizeof(float));
  }

  const kernels::EpilogueKernels& epilogues_;
  Product product_;
  Place in_;
  StepEpilogue epilogue_;
  std::size_t chunk_rows_ = 1;
};

class PlaneConvolution final : public Runner {
 public:
  PlaneConvolution(const RunnerContext& context, std::size_t step, const kernels::LowBitConv& convolution)
      : kernels_(context.kernels),
        convolution_(convolution),
        batch_(context.batch),
        in_(context.place(context.model.program.steps[step].in)),
        layout_(planes_layout(context.value(in_.value))),
        epilogue_(make_epilogue(context, context.model.program.steps[step])) {
    assert(layout_ == convolution_.input_layout());
    const Step& s = context.model.program.steps[step];
    kernels::Epilogue& epilogue = epilogue_.epilogue;
    if (s.integers && epilogue.kind == kernels::EpilogueKind::Planes &&
        convolution_.prefers_integers(epilogue.ranks, epilogue.layout)) {
      epilogue.integer = integers_of(s);
    }
  }

  [[nodiscard]] std::size_t rows() const noexcept override {
    return batch_ * convolution_.shape().out_height();
  }
  [[nodiscard]] std::size_t scratch_bytes() const noexcept override { return convolution_.scratch_bytes(); }

  void run(kernels::RowRange range, const Buffers& buffers, std::byte* scratch) const noexcept override {
    const kernels::PackedActivations input{.data = in_.bytes(buffers), .layout = layout_};
    convolution_.run(input, range, *kernels_.epilogue, epilogue_.in(buffers), scratch);
  }

 private:
  const KernelChoice& kernels_;
  const kernels::LowBitConv& convolution_;
  std::size_t batch_;
  Place in_;
  kernels::ActivationLayout layout_;
  StepEpilogue epilogue_;
};

}  // namespace

std::unique_ptr<Runner> make_float_convolution(const RunnerContext& context, std::size_t step) {
  const Program& program = context.model.program;
  kernels::ConvShape shape = convolution_shape(context.model.spec, program, program.steps[step]);
  shape.batch = context.batch;
  if (codebook_of(context.model.spec.nodes[program.steps[step].node].op) != nullptr) {
    return std::make_unique<FloatConvolution<CodebookProduct>>(context, step, shape);
  }
  if (splits_by_channels(context, program.steps[step], shape)) {
    return make_split_linear(context, step, shape);
  }
  return std::make_unique<FloatConvolution<FloatProduct>>(context, step, shape);
}

std::unique_ptr<Runner> make_plane_convolution(const RunnerContext& context, std::size_t step,
                                               const kernels::LowBitConv& convolution) {
  return std::make_unique<PlaneConvolution>(context, step, convolution);
}

}  // namespace bitplane::engine
