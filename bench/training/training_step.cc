// SPDX-License-Identifier: Apache-2.0
#include "training/training_step.h"

#include <cmath>
#include <stdexcept>

#include "trainer/math/random.h"
#include "trainer/methods/method.h"
#include "trainer/nets/layer_sizes.h"
#include "trainer/ops/loss.h"

namespace bitplane::bench {
namespace {

using namespace train;

constexpr std::size_t kClasses = 10;
constexpr PictureShape kPicture{.height = 32, .width = 32, .channels = 3};

std::unique_ptr<Module> build(const StepOptions& o) {
  const QuantizationPlan plan = make_plan(resolve_method(
      {.method = o.method.name, .wbits = o.method.weight_bits, .abits = o.method.activation_bits}));
  auto net = build_net(o.net, {.input = kPicture, .classes = kClasses, .plan = plan});
  initialize_parameters(*net, 1);
  return net;
}

Tensor random_pictures(std::size_t batch) {
  Random random(1, stream_of("pictures"));
  Tensor x({batch, kPicture.height, kPicture.width, kPicture.channels});
  for (float& v : x.mutable_values()) v = static_cast<float>(random.normal());
  return x;
}

/// Another than the one that is timed, and not much slower where there is a choice.
kernels::CpuFeatures other_features(kernels::CpuFeatures timed) {
  const kernels::CpuFeatures avx2 = timed.limited_to(kernels::Isa::Avx2);
  const bool wide = timed.has(kernels::Isa::Avx512) && avx2.has(kernels::Isa::Avx2);
  return wide ? avx2 : timed.limited_to(kernels::Isa::Scalar);
}

}  // namespace

TrainingStep::TrainingStep(const StepOptions& options)
    : options_(options),
      backend_(options.backend),
      net_(build(options)),
      parameters_(named_parameters(*net_)),
      optimizer_(make_sgd(parameters_, {.momentum = 0.9, .weight_decay = 5e-4})),
      pictures_(random_pictures(options.batch)) {
  for (std::size_t i = 0; i < options.batch; ++i) labels_.push_back(static_cast<std::uint16_t>(i % kClasses));
  for (const LayerSize& layer : layer_sizes(layer_graph(*net_), kPicture))
    forward_macs_ += static_cast<double>(layer.macs);
}

float TrainingStep::run() {
  const Context ctx{.backend = backend_, .fusion = options_.fusion, .profile = profile_};
  const Variable loss = softmax_cross_entropy(ctx, net_->forward(ctx, Variable(pictures_)), labels_);
  for (const NamedParameter& p : parameters_) p.parameter->variable.clear_grad();
  backward(ctx, loss);
  optimizer_->step(backend_, 0.01);
  constrain_quantizers(*net_);
  return loss.value().data()[0];
}

void check_training(const StepOptions& options) {
  constexpr std::size_t kPictures = 17;  // the last block of a weight gradient is short
  constexpr int kSteps = 3;
  StepOptions timed = options, reference = options;
  timed.batch = reference.batch = kPictures;
  reference.backend = {.features = other_features(options.backend.features), .threads = 1};
  reference.fusion = Fusion::Off;
  TrainingStep a(timed), b(reference);
  for (int step = 0; step < kSteps; ++step) {
    const float loss = a.run(), expected = b.run();
    if (std::isfinite(loss) && loss == expected) continue;
    throw std::runtime_error(options.net + ", " + options.method.label + ": loss " + std::to_string(loss) +
                             " in step " + std::to_string(step + 1) + ", the reference has " +
                             std::to_string(expected));
  }
}

}  // namespace bitplane::bench
