// SPDX-License-Identifier: Apache-2.0
//
// A float layer with one output pixel per picture (the last linear layer), divided between threads by output
// channels: with a batch smaller than the number of threads there are no rows to divide, and the layer is
// mostly the reading of its weights. Each output is the same chain of fma whoever computes it.
#include <algorithm>

#include "runtime/steps/runner.h"

namespace bitplane::engine {
namespace {

/// A row of the step is one panel of weights with one picture.
class SplitLinear final : public Runner {
 public:
  SplitLinear(const RunnerContext& context, const Step& step, const kernels::ConvShape& shape,
              const kernels::F32Panels& panels)
      : kernels_(context.kernels),
        convolution_(shape),
        panels_(panels),
        count_((panels.n() + kernels::kF32PanelWidth - 1) / kernels::kF32PanelWidth),
        in_(context.place(step.in)),
        epilogue_(make_epilogue(context, step)) {}

  [[nodiscard]] std::size_t rows() const noexcept override { return convolution_.shape().batch * count_; }
  [[nodiscard]] std::size_t scratch_bytes() const noexcept override {
    return (count_ * kernels::kF32PanelWidth + convolution_.scratch_floats()) * sizeof(float);
  }

  void run(kernels::RowRange range, const Buffers& buffers, std::byte* scratch) const noexcept override {
    while (range.begin < range.end) {
      const std::size_t picture = range.begin / count_, panel = range.begin % count_;
      const std::size_t panels = std::min(range.end - range.begin, count_ - panel);
      run_panels(picture, {panel, panel + panels}, buffers, scratch);
      range.begin += panels;
    }
  }

 private:
  void run_panels(std::size_t picture, kernels::RowRange panels, const Buffers& buffers,
                  std::byte* scratch) const noexcept {
    auto* z = reinterpret_cast<float*>(scratch);
    const std::size_t first = panels.begin * kernels::kF32PanelWidth, n = panels_.n();
    const std::size_t columns = std::min(panels.end * kernels::kF32PanelWidth, n) - first;
    kernels::GatherGemm gemm = convolution_
                                   .picture_rows(in_.read_floats(buffers), {picture, picture + 1},
                                                 z + count_ * kernels::kF32PanelWidth)
                                   .gemm;
    gemm.b = panels_.data() + first * panels_.k();
    gemm.b_row_stride = kernels::kF32PanelWidth;
    gemm.b_panel_stride = panels_.k() * kernels::kF32PanelWidth;
    gemm.columns = columns;
    gemm.c = z;
    gemm.c_row_stride = columns;
    kernels_.f32->gather_gemm(gemm);
    kernels::Epilogue epilogue = epilogue_.in(buffers);
    epilogue.affine.scale += first;
    epilogue.affine.shift += first;
    epilogue.out += picture * n + first;
    kernels_.epilogue->apply(epilogue, {.z = z, .row = 0, .pixels = 1, .channels = columns});
  }

  const KernelChoice& kernels_;
  kernels::F32Conv convolution_;
  const kernels::F32Panels& panels_;
  std::size_t count_;  ///< panels
  Place in_;
  StepEpilogue epilogue_;
};

}  // namespace

bool splits_by_channels(const RunnerContext& context, const Step& step, const kernels::ConvShape& shape) {
  const Stages& stages = step.stages;
  const bool plain = !stages.quantize && !stages.residual && !stages.after && !stages.floats;
  return plain && shape.groups == 1 && shape.out_height() * shape.out_width() == 1 &&
         shape.batch < context.threads;
}

std::unique_ptr<Runner> make_split_linear(const RunnerContext& context, std::size_t step,
                                          const kernels::ConvShape& shape) {
  return std::make_unique<SplitLinear>(context, context.model.program.steps[step], shape,
                                       context.model.packed.panels(step).front());
}

}  // namespace bitplane::engine
