// SPDX-License-Identifier: Apache-2.0
//
// Convolutions of the caller's picture, alone or with the max-pooling behind them.
#include <algorithm>

#include "bitplane/kernels/pooling.h"
#include "runtime/steps/runner.h"

namespace bitplane::engine {
namespace {

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

/// Its rows are those of the pooling. Rows of the convolution stay in a ring for as long as a window needs
/// them; the first ones of a range are computed by two threads.
class PooledByteConvolution final : public Runner {
 public:
  PooledByteConvolution(const RunnerContext& context, std::size_t step)
      : kernels_(context.kernels),
        convolution_(context.model.packed.bytes(step, *context.kernels.bytes)),
        batch_(context.batch),
        pool_(pool_shape(context.model.spec, context.model.program, context.model.program.steps[step])),
        epilogue_(make_epilogue(context, context.model.program.steps[step])),
        slots_(std::min(pool_.height,
                        (pool_.kernel_h + pool_.stride_h - 1) / pool_.stride_h * pool_.stride_h)) {}

  [[nodiscard]] std::size_t rows() const noexcept override { return batch_ * pool_.out_height; }
  [[nodiscard]] std::size_t scratch_bytes() const noexcept override {
    return ring_bytes() + convolution_.scratch_bytes();
  }

  void run(kernels::RowRange range, const Buffers& buffers, std::byte* scratch) const noexcept override {
    const std::size_t row_floats = pool_.out_width * pool_.channels;
    float* out = epilogue_.out.floats(buffers) + range.begin * row_floats;
    kernels::RowRange there{};  // rows of the picture that the ring holds, or held
    for (std::size_t row = range.begin; row < range.end; ++row, out += row_floats) {
      const std::size_t picture = row / pool_.out_height, out_y = row % pool_.out_height;
      if (out_y == 0) there = {};
      const kernels::RowRange window = kernels::pool_rows(pool_, out_y);
      convolve(picture, {std::max(there.end, window.begin), window.end}, buffers, scratch);
      there = window;
      kernels::max_pool_row_f32(*kernels_.epilogue, pool_, out_y,
                                {reinterpret_cast<const float*>(scratch), slots_}, out);
    }
  }

 private:
  /// Into their slots.
  void convolve(std::size_t picture, kernels::RowRange rows, const Buffers& buffers,
                std::byte* scratch) const noexcept {
    kernels::Epilogue epilogue = epilogue_.epilogue;
    while (rows.begin < rows.end) {
      const std::size_t slot = rows.begin % slots_;
      const std::size_t count = std::min(rows.end - rows.begin, slots_ - slot);
      epilogue.first_row = picture * pool_.height + rows.begin;
      epilogue.out = reinterpret_cast<float*>(scratch) + slot * ring_row_floats();
      convolution_.run(buffers.bytes, {epilogue.first_row, epilogue.first_row + count}, *kernels_.epilogue,
                       epilogue, scratch + ring_bytes());
      rows.begin += count;
    }
  }
  [[nodiscard]] std::size_t ring_row_floats() const noexcept { return pool_.width * pool_.channels; }
  [[nodiscard]] std::size_t ring_bytes() const noexcept {
    return (slots_ * ring_row_floats() * sizeof(float) + 63) / 64 * 64;
  }

  const KernelChoice& kernels_;
  const kernels::ByteConv& convolution_;
  std::size_t batch_;
  kernels::PoolShape pool_;
  StepEpilogue epilogue_;  ///< `out` is the pooling's
  std::size_t slots_;      ///< at least a window's rows, and those that are new for it lie side by side
};

}  // namespace

std::unique_ptr<Runner> make_byte_convolution(const RunnerContext& context, std::size_t step) {
  if (context.model.program.steps[step].pool) return std::make_unique<PooledByteConvolution>(context, step);
  return std::make_unique<ByteConvolution>(context, step);
}

}  // namespace bitplane::engine
