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

class FloatConvolution final : public Runner {
 public:
  FloatConvolution(const RunnerContext& context, std::size_t step, const kernels::ConvShape& shape)
      : kernels_(context.kernels),
        convolution_(shape),
        panels_(context.model.packed.panels(step).data()),
        in_(context.place(context.model.program.steps[step].in)),
        epilogue_(make_epilogue(context, context.model.program.steps[step])) {
    // Padding copies a picture, once per call: so a call takes whole pictures there.
    const std::size_t unit = convolution_.scratch_floats() > 0 ? shape.out_height() : 1;
    chunk_rows_ = std::max<std::size_t>(1, kChunkFloats / (unit * row_floats())) * unit;
    chunk_rows_ = std::min(chunk_rows_, rows());
  }

  [[nodiscard]] std::size_t rows() const noexcept override { return shape().batch * shape().out_height(); }
  [[nodiscard]] std::size_t scratch_bytes() const noexcept override {
    return z_bytes() + convolution_.scratch_floats() * sizeof(float);
  }

  void run(kernels::RowRange range, const Buffers& buffers, std::byte* scratch) const noexcept override {
    auto* z = reinterpret_cast<float*>(scratch);
    auto* padded = reinterpret_cast<float*>(scratch + z_bytes());
    const kernels::Epilogue epilogue = epilogue_.in(buffers);
    for (std::size_t begin = range.begin; begin < range.end; begin += chunk_rows_) {
      const std::size_t end = std::min(begin + chunk_rows_, range.end);
      convolution_.forward(*kernels_.f32, in_.read_floats(buffers), panels_, z, {begin, end}, padded);
      for (std::size_t row = begin; row < end; ++row) {
        kernels_.epilogue->apply(epilogue, {.z = z + (row - begin) * row_floats(),
                                            .row = row,
                                            .pixels = shape().out_width(),
                                            .channels = shape().out_channels});
      }
    }
  }

 private:
  [[nodiscard]] const kernels::ConvShape& shape() const noexcept { return convolution_.shape(); }
  [[nodiscard]] std::size_t row_floats() const noexcept { return shape().out_width() * shape().out_channels; }
  [[nodiscard]] std::size_t z_bytes() const noexcept {
    return aligned(chunk_rows_ * row_floats() * sizeof(float));
  }

  const KernelChoice& kernels_;
  kernels::F32Conv convolution_;
  const kernels::F32Panels* panels_;
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

/// Of the caller's picture.
class ByteConvolution final : public Runner {
 public:
  ByteConvolution(const RunnerContext& context, std::size_t step)
      : kernels_(context.kernels),
        convolution_(context.model.packed.bytes(step, *context.kernels.bytes)),
        batch_(context.batch),
        epilogue_(make_epilogue(context, context.model.program.steps[step])) {}

  [[nodiscard]] std::size_t rows() const noexcept override {
    return batch_ * convolution_.shape().out_height();
  }
  [[nodiscard]] std::size_t scratch_bytes() const noexcept override { return convolution_.scratch_bytes(); }

  void run(kernels::RowRange range, const Buffers& buffers, std::byte* scratch) const noexcept override {
    convolution_.run(buffers.bytes, range, *kernels_.epilogue, epilogue_.in(buffers), scratch);
  }

 private:
  const KernelChoice& kernels_;
  const kernels::ByteConv& convolution_;
  std::size_t batch_;
  StepEpilogue epilogue_;
};

}  // namespace

std::unique_ptr<Runner> make_byte_convolution(const RunnerContext& context, std::size_t step) {
  return std::make_unique<ByteConvolution>(context, step);
}

std::unique_ptr<Runner> make_float_convolution(const RunnerContext& context, std::size_t step) {
  const Program& program = context.model.program;
  kernels::ConvShape shape = convolution_shape(context.model.spec, program, program.steps[step]);
  shape.batch = context.batch;
  return std::make_unique<FloatConvolution>(context, step, shape);
}

std::unique_ptr<Runner> make_plane_convolution(const RunnerContext& context, std::size_t step,
                                               const kernels::LowBitConv& convolution) {
  return std::make_unique<PlaneConvolution>(context, step, convolution);
}

}  // namespace bitplane::engine
