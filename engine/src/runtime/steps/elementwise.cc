// SPDX-License-Identifier: Apache-2.0
//
// Steps that look at one pixel at a time: input preprocessing, stages on their own, packing of ranks.
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
        out_(context.place(step.out)),
        epilogue_(make_epilogue(context, step)) {}

  [[nodiscard]] std::size_t rows() const noexcept override { return batch_ * shape_.height; }

  void run(kernels::RowRange range, const Buffers& buffers, std::byte*) const noexcept override {
    const kernels::Epilogue epilogue = with_output(epilogue_, out_, buffers);
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
  Place in_, out_;
  kernels::Epilogue epilogue_;
};

class PackRanks final : public Runner {
 public:
  PackRanks(const RunnerContext& context, const Step& step)
      : kernels_(context.kernels),
        batch_(context.batch),
        in_(context.place(step.in)),
        out_(context.place(step.out)) {
    const Quantize& quantize = std::get<Quantize>(context.model.spec.nodes[step.node].op);
    epilogue_.kind = kernels::EpilogueKind::Planes;
    epilogue_.ranks.count = quantize.thresholds.size();
    epilogue_.ranks.code_of_rank = quantize.code_of_rank.data();
    epilogue_.layout = planes_layout(context.value(step.out));
  }

  [[nodiscard]] std::size_t rows() const noexcept override { return batch_ * epilogue_.layout.height; }

  void run(kernels::RowRange range, const Buffers& buffers, std::byte*) const noexcept override {
    const kernels::Epilogue epilogue = with_output(epilogue_, out_, buffers);
    const std::size_t width = epilogue.layout.width, channels = epilogue.layout.channels;
    for (std::size_t row = range.begin; row < range.end; ++row) {
      kernels_.epilogue->apply(epilogue, {.ranks = in_.ranks(buffers) + row * width * channels,
                                          .row = row,
                                          .pixels = width,
                                          .channels = channels});
    }
  }

 private:
  const KernelChoice& kernels_;
  std::size_t batch_;
  Place in_, out_;
  kernels::Epilogue epilogue_;
};

}  // namespace

std::unique_ptr<Runner> make_preprocess(const RunnerContext& context) {
  return std::make_unique<Preprocess>(context);
}

std::unique_ptr<Runner> make_elementwise(const RunnerContext& context, std::size_t step) {
  return std::make_unique<Elementwise>(context, context.model.program.steps[step]);
}

std::unique_ptr<Runner> make_pack_ranks(const RunnerContext& context, std::size_t step) {
  return std::make_unique<PackRanks>(context, context.model.program.steps[step]);
}

}  // namespace bitplane::engine
