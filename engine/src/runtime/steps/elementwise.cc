// SPDX-License-Identifier: Apache-2.0
//
// Steps that look at one value at a time: input preprocessing, codes to values, stages on their own.
#include "bitplane/kernels/float_steps.h"
#include "lowering/fold.h"
#include "runtime/steps/runner.h"

namespace bitplane::engine {
namespace {

class Preprocess final : public Runner {
 public:
  explicit Preprocess(const RunnerContext& context)
      : shape_(context.value(kInputValue).shape),
        batch_(context.batch),
        out_(context.place(kInputValue)),
        affine_(fold_preprocessing(context.model.spec.input)) {}

  [[nodiscard]] std::size_t rows() const noexcept override { return batch_ * shape_.height; }

  void run(kernels::RowRange range, const Buffers& buffers, std::byte*) const noexcept override {
    const std::size_t begin = range.begin * shape_.width * shape_.channels;
    kernels::preprocess_u8((range.end - range.begin) * shape_.width, shape_.channels, buffers.bytes + begin,
                           affine_.scale.data(), affine_.shift.data(), out_.floats(buffers) + begin);
  }

 private:
  NodeShape shape_;
  std::size_t batch_;
  Place out_;
  Affine affine_;
};

class Elementwise final : public Runner {
 public:
  Elementwise(const RunnerContext& context, const Step& step)
      : kernels_(context.kernels),
        shape_(context.value(step.out).shape),
        batch_(context.batch),
        in_(context.place(step.in)),
        epilogue_(make_epilogue(context, step)) {}

  [[nodiscard]] std::size_t rows() const noexcept override { return batch_ * shape_.height; }

  void run(kernels::RowRange range, const Buffers& buffers, std::byte*) const noexcept override {
    const kernels::Epilogue epilogue = epilogue_.in(buffers);
    const float* x = in_.read_floats(buffers);
    for (std::size_t row = range.begin; row < range.end; ++row) {
      kernels_.epilogue->apply(epilogue, {.z = x + row * shape_.width * shape_.channels,
                                          .row = row,
                                          .pixels = shape_.width,
                                          .channels = shape_.channels});
    }
  }

 private:
  const KernelChoice& kernels_;
  NodeShape shape_;
  std::size_t batch_;
  Place in_;
  StepEpilogue epilogue_;
};

/// A row of the step is a row of a picture.
class DequantizeRunner final : public Runner {
 public:
  DequantizeRunner(const RunnerContext& context, const Step& step)
      : layout_(planes_layout(context.value(step.in))),
        batch_(context.batch),
        in_(context.place(step.in)),
        out_(context.place(step.out)),
        levels_(levels_of_codes(
            std::get<Quantize>(context.model.spec.nodes[context.value(step.in).quantizer].op))) {}

  [[nodiscard]] std::size_t rows() const noexcept override { return batch_ * layout_.height; }

  void run(kernels::RowRange range, const Buffers& buffers, std::byte*) const noexcept override {
    kernels::dequantize_codes({.data = in_.bytes(buffers), .layout = layout_}, levels_.data(), range,
                              out_.floats(buffers));
  }

 private:
  kernels::ActivationLayout layout_;
  std::size_t batch_;
  Place in_, out_;
  std::vector<float> levels_;  ///< by code
};

}  // namespace

std::unique_ptr<Runner> make_preprocess(const RunnerContext& context) {
  return std::make_unique<Preprocess>(context);
}

std::unique_ptr<Runner> make_dequantize(const RunnerContext& context, std::size_t step) {
  return std::make_unique<DequantizeRunner>(context, context.model.program.steps[step]);
}

std::unique_ptr<Runner> make_elementwise(const RunnerContext& context, std::size_t step) {
  return std::make_unique<Elementwise>(context, context.model.program.steps[step]);
}

}  // namespace bitplane::engine
