// SPDX-License-Identifier: Apache-2.0
#include "bitplane/kernels/pooling.h"

#include "runtime/steps/runner.h"

namespace bitplane::engine {
namespace {

std::size_t elements(const NodeShape& shape) noexcept {
  return shape.height * shape.width * shape.channels;
}

/// On floats or on ranks. A row of the step is a whole picture.
class MaxPoolRunner final : public Runner {
 public:
  MaxPoolRunner(const RunnerContext& context, const Step& step)
      : shape_(pool_shape(context.model.spec, context.model.program, step)),
        batch_(context.batch),
        in_(context.place(step.in)),
        out_(context.place(step.out)),
        in_size_(elements(step.in_shape)),
        out_size_(elements(context.value(step.out).shape)),
        minimum_(step.minimum.empty() ? nullptr : step.minimum.data()) {}

  [[nodiscard]] std::size_t rows() const noexcept override { return batch_; }

  void run(kernels::RowRange range, const Buffers& buffers, std::byte*) const noexcept override {
    kernels::PoolShape shape = shape_;
    shape.batch = range.end - range.begin;
    const std::size_t in = range.begin * in_size_;
    const std::size_t out = range.begin * out_size_;
    if (minimum_ == nullptr) {
      kernels::max_pool_f32(shape, in_.read_floats(buffers) + in, out_.floats(buffers) + out);
    } else {
      kernels::max_pool_ranks(shape, in_.ranks(buffers) + in, minimum_, out_.ranks(buffers) + out);
    }
  }

 private:
  kernels::PoolShape shape_;
  std::size_t batch_;
  Place in_, out_;
  std::size_t in_size_, out_size_;
  const std::uint8_t* minimum_;  ///< null: floats
};

class GlobalAverage final : public Runner {
 public:
  GlobalAverage(const RunnerContext& context, const Step& step)
      : shape_(step.in_shape),
        batch_(context.batch),
        in_(context.place(step.in)),
        out_(context.place(step.out)) {}

  [[nodiscard]] std::size_t rows() const noexcept override { return batch_; }

  void run(kernels::RowRange range, const Buffers& buffers, std::byte*) const noexcept override {
    kernels::global_average_pool_f32(range.end - range.begin, shape_.height * shape_.width, shape_.channels,
                                     in_.read_floats(buffers) + range.begin * elements(shape_),
                                     out_.floats(buffers) + range.begin * shape_.channels);
  }

 private:
  NodeShape shape_;
  std::size_t batch_;
  Place in_, out_;
};

}  // namespace

std::unique_ptr<Runner> make_max_pool(const RunnerContext& context, std::size_t step) {
  return std::make_unique<MaxPoolRunner>(context, context.model.program.steps[step]);
}

std::unique_ptr<Runner> make_global_average(const RunnerContext& context, std::size_t step) {
  return std::make_unique<GlobalAverage>(context, context.model.program.steps[step]);
}

}  // namespace bitplane::engine
