// SPDX-License-Identifier: Apache-2.0
//
// Steps on floats of which each call takes whole pictures: average pooling, the parameter-free shortcut,
// local response normalization, softmax.
#include "bitplane/kernels/float_steps.h"

#include "runtime/steps/runner.h"

namespace bitplane::engine {
namespace {

std::size_t floats_of(const NodeShape& shape) noexcept {
  return shape.height * shape.width * shape.channels;
}

/// A row of the step is a picture. `Call` has the shape of a picture and operator()(pictures, x, y).
template <class Call>
class WholePictures final : public Runner {
 public:
  WholePictures(const RunnerContext& context, const Step& step, const Call& call)
      : batch_(context.batch),
        in_(context.place(step.in)),
        out_(context.place(step.out)),
        in_size_(floats_of(step.in_shape)),
        out_size_(floats_of(context.value(step.out).shape)),
        call_(call) {}

  [[nodiscard]] std::size_t rows() const noexcept override { return batch_; }

  void run(kernels::RowRange range, const Buffers& buffers, std::byte*) const noexcept override {
    call_(range.end - range.begin, in_.read_floats(buffers) + range.begin * in_size_,
          out_.floats(buffers) + range.begin * out_size_);
  }

 private:
  std::size_t batch_;
  Place in_, out_;
  std::size_t in_size_, out_size_;
  Call call_;
};

template <class Call>
std::unique_ptr<Runner> whole_pictures(const RunnerContext& context, std::size_t step, const Call& call) {
  return std::make_unique<WholePictures<Call>>(context, context.model.program.steps[step], call);
}

template <class Op>
const Op& op_of_step(const RunnerContext& context, std::size_t step) {
  return std::get<Op>(context.model.spec.nodes[context.model.program.steps[step].node].op);
}

}  // namespace

std::unique_ptr<Runner> make_average_pool(const RunnerContext& context, std::size_t step) {
  const Program& program = context.model.program;
  const AverageDivisor divisor = op_of_step<AveragePool>(context, step).divisor;
  const auto over =
      divisor == AverageDivisor::Inside ? kernels::AverageOver::Inside : kernels::AverageOver::Padded;
  const kernels::PoolShape picture = pool_shape(context.model.spec, program, program.steps[step]);
  return whole_pictures(context, step, [=](std::size_t pictures, const float* x, float* y) noexcept {
    kernels::PoolShape shape = picture;
    shape.batch = pictures;
    kernels::average_pool_f32(shape, over, x, y);
  });
}

std::unique_ptr<Runner> make_shortcut(const RunnerContext& context, std::size_t step) {
  const auto& op = op_of_step<ZeroChannelShortcut>(context, step);
  const NodeShape& in = context.model.program.steps[step].in_shape;
  const bool average = op.sampling == ShortcutSampling::Average;
  const kernels::ZeroChannelShape picture{
      .height = in.height,
      .width = in.width,
      .channels = in.channels,
      .stride_h = op.stride_h,
      .stride_w = op.stride_w,
      .front = op.front,
      .back = op.back,
      .sampling = average ? kernels::Sampling::Average : kernels::Sampling::First};
  return whole_pictures(context, step, [=](std::size_t pictures, const float* x, float* y) noexcept {
    kernels::ZeroChannelShape shape = picture;
    shape.batch = pictures;
    kernels::zero_channel_shortcut_f32(shape, x, y);
  });
}

std::unique_ptr<Runner> make_local_response(const RunnerContext& context, std::size_t step) {
  const auto& op = op_of_step<LocalResponseNorm>(context, step);
  const NodeShape& in = context.model.program.steps[step].in_shape;
  const bool across = op.scope == NormScope::AcrossChannels;
  const std::size_t neighbours = across ? op.size : op.size * op.size;
  const kernels::LocalResponse picture{
      .height = in.height,
      .width = in.width,
      .channels = in.channels,
      .scope = across ? kernels::LocalResponse::Scope::Channels : kernels::LocalResponse::Scope::Pixels,
      .size = op.size,
      .scale = double{op.alpha} / static_cast<double>(neighbours),
      .beta = op.beta,
      .k = op.k};
  return whole_pictures(context, step, [=](std::size_t pictures, const float* x, float* y) noexcept {
    kernels::LocalResponse norm = picture;
    norm.batch = pictures;
    kernels::local_response_norm_f32(norm, x, y);
  });
}

std::unique_ptr<Runner> make_softmax(const RunnerContext& context, std::size_t step) {
  const NodeShape& in = context.model.program.steps[step].in_shape;
  return whole_pictures(context, step, [=](std::size_t pictures, const float* x, float* y) noexcept {
    kernels::softmax_f32(pictures * in.height * in.width, in.channels, x, y);
  });
}

}  // namespace bitplane::engine
