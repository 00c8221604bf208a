// SPDX-License-Identifier: Apache-2.0
//
// A step of a session, with everything resolved but the arena's address. A runner computes any range of its
// rows; ranges may run at the same time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "bitplane/kernels/conv_shape.h"
#include "lowering/choose_kernels.h"
#include "lowering/plan_arena.h"
#include "lowering/program.h"
#include "runtime/model_impl.h"

namespace bitplane::engine {

/// What changes between runs.
struct Buffers {
  const std::uint8_t* bytes = nullptr;  ///< the caller's pictures, when they are bytes
  const float* input = nullptr;         ///< the input value: the caller's floats, or the preprocessed bytes
  std::byte* arena = nullptr;
};

/// Where a value lies.
struct Place {
  ValueId value = kInputValue;
  std::size_t offset = 0;

  [[nodiscard]] std::byte* bytes(const Buffers& buffers) const noexcept { return buffers.arena + offset; }
  [[nodiscard]] std::uint8_t* ranks(const Buffers& buffers) const noexcept {
    return reinterpret_cast<std::uint8_t*>(bytes(buffers));
  }
  [[nodiscard]] float* floats(const Buffers& buffers) const noexcept {
    return reinterpret_cast<float*>(bytes(buffers));
  }
  /// To read: the input may be the caller's own memory.
  [[nodiscard]] const float* read_floats(const Buffers& buffers) const noexcept {
    return value == kInputValue ? buffers.input : floats(buffers);
  }
};

class Runner {
 public:
  virtual ~Runner() = default;
  /// How many rows there are to divide between threads.
  [[nodiscard]] virtual std::size_t rows() const noexcept = 0;
  [[nodiscard]] virtual std::size_t scratch_bytes() const noexcept { return 0; }
  /// `scratch`: scratch_bytes() of this thread's own, 64-byte aligned.
  virtual void run(kernels::RowRange range, const Buffers& buffers, std::byte* scratch) const noexcept = 0;
};

/// What runners are made from. All of it outlives them.
struct RunnerContext {
  Model::Impl& model;
  const KernelChoice& kernels;
  const ArenaPlan& arena;
  std::size_t batch;
  std::size_t threads = 1;  ///< that will share the rows: a step may divide itself in another way for more

  [[nodiscard]] const Value& value(ValueId id) const { return model.program.values[id]; }
  [[nodiscard]] Place place(ValueId id) const { return {id, arena.offsets[id]}; }
};

/// The epilogue of a step with stages, and where the tensors lie that it reads and writes.
struct StepEpilogue {
  kernels::Epilogue epilogue;  ///< without those pointers
  Place out;
  std::optional<Place> residual, floats;

  /// With them.
  [[nodiscard]] kernels::Epilogue in(const Buffers& buffers) const noexcept;
};
/// With one threshold on integers, where the step has such (see LowBitConv::prefers_integers for more).
[[nodiscard]] StepEpilogue make_epilogue(const RunnerContext& context, const Step& step);
/// Of a step that has them.
[[nodiscard]] kernels::IntegerThresholds integers_of(const Step& step) noexcept;

[[nodiscard]] std::unique_ptr<Runner> make_preprocess(const RunnerContext& context);
[[nodiscard]] std::unique_ptr<Runner> make_float_convolution(const RunnerContext& context, std::size_t step);
/// Has the layer less rows than there are threads, and may its channels be divided instead?
[[nodiscard]] bool splits_by_channels(const RunnerContext& context, const Step& step,
                                      const kernels::ConvShape& shape);
[[nodiscard]] std::unique_ptr<Runner> make_split_linear(const RunnerContext& context, std::size_t step,
                                                        const kernels::ConvShape& shape);
/// `convolution` is the step's, packed for any kernel; it outlives the runner.
[[nodiscard]] std::unique_ptr<Runner> make_plane_convolution(const RunnerContext& context, std::size_t step,
                                                             const kernels::LowBitConv& convolution);
[[nodiscard]] std::unique_ptr<Runner> make_byte_convolution(const RunnerContext& context, std::size_t step);
[[nodiscard]] std::unique_ptr<Runner> make_elementwise(const RunnerContext& context, std::size_t step);
[[nodiscard]] std::unique_ptr<Runner> make_dequantize(const RunnerContext& context, std::size_t step);
[[nodiscard]] std::unique_ptr<Runner> make_max_pool(const RunnerContext& context, std::size_t step);
[[nodiscard]] std::unique_ptr<Runner> make_average_pool(const RunnerContext& context, std::size_t step);
[[nodiscard]] std::unique_ptr<Runner> make_global_average(const RunnerContext& context, std::size_t step);
[[nodiscard]] std::unique_ptr<Runner> make_shortcut(const RunnerContext& context, std::size_t step);
[[nodiscard]] std::unique_ptr<Runner> make_local_response(const RunnerContext& context, std::size_t step);
[[nodiscard]] std::unique_ptr<Runner> make_softmax(const RunnerContext& context, std::size_t step);
[[nodiscard]] std::unique_ptr<Runner> make_concat(const RunnerContext& context, std::size_t step);
[[nodiscard]] std::unique_ptr<Runner> make_pack_ranks(const RunnerContext& context, std::size_t step);
[[nodiscard]] std::unique_ptr<Runner> make_repack(const RunnerContext& context, std::size_t step);
/// The right one of them. Throws std::bad_alloc.
[[nodiscard]] std::unique_ptr<Runner> make_runner(const RunnerContext& context, std::size_t step);

}  // namespace bitplane::engine
