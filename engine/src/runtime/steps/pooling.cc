// SPDX-License-Identifier: Apache-2.0
#include "bitplane/kernels/pooling.h"

#include <algorithm>

#include "runtime/steps/runner.h"

namespace bitplane::engine {
namespace {

std::size_t elements(const NodeShape& shape) noexcept {
  return shape.height * shape.width * shape.channels;
}

/// The part of a pooling that gives some rows of a picture's output: as a picture of its own.
struct PoolPart {
  kernels::PoolShape shape;
  std::size_t in_row = 0;  ///< where it begins in the picture
};

PoolPart part_of(const kernels::PoolShape& picture, kernels::RowRange rows) noexcept {
  PoolPart part{.shape = picture};
  const std::size_t above = rows.begin * picture.stride_h;  // rows above the first window, padding included
  part.in_row = std::min(above > picture.pad_h ? above - picture.pad_h : 0, picture.height);
  part.shape.pad_h = above > picture.pad_h ? 0 : picture.pad_h - above;
  part.shape.height = picture.height - part.in_row;
  part.shape.out_height = rows.end - rows.begin;
  return part;
}

/// On floats or on ranks.
class MaxPoolRunner final : public Runner {
 public:
  MaxPoolRunner(const RunnerContext& context, const Step& step)
      : kernels_(context.kernels),
        shape_(pool_shape(context.model.spec, context.model.program, step)),
        batch_(context.batch),
        in_(context.place(step.in)),
        out_(context.place(step.out)),
        in_size_(elements(step.in_shape)),
        out_size_(elements(context.value(step.out).shape)),
        minimum_(step.minimum.empty() ? nullptr : step.minimum.data()) {}

  [[nodiscard]] std::size_t rows() const noexcept override { return batch_ * shape_.out_height; }

  void run(kernels::RowRange range, const Buffers& buffers, std::byte*) const noexcept override {
    const std::size_t height = shape_.out_height;
    while (range.begin < range.end) {
      const std::size_t picture = range.begin / height, row = range.begin % height;
      const std::size_t count = std::min(range.end - range.begin, height - row);
      run_part(part_of(shape_, {row, row + count}), picture, row, buffers);
      range.begin += count;
    }
  }

 private:
  void run_part(const PoolPart& part, std::size_t picture, std::size_t row,
                const Buffers& buffers) const noexcept {
    const std::size_t in = picture * in_size_ + part.in_row * shape_.width * shape_.channels;
    const std::size_t out = picture * out_size_ + row * shape_.out_width * shape_.channels;
    if (minimum_ == nullptr) {
      kernels::max_pool_f32(*kernels_.epilogue, part.shape, in_.read_floats(buffers) + in,
                            out_.floats(buffers) + out);
    } else {
      kernels::max_pool_ranks(part.shape, in_.ranks(buffers) + in, minimum_, out_.ranks(buffers) + out);
    }
  }

  const KernelChoice& kernels_;
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
