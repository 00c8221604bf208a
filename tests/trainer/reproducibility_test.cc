// SPDX-License-Identifier: Apache-2.0
//
// The bytes of a final checkpoint say the same whatever computed them.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "trainer/checkpoint/checkpoint.h"
#include "trainer/methods/method.h"
#include "trainer/ops/loss.h"
#include "trainer/run/build.h"
#include "trainer_support.h"

namespace bitplane::train::testing {
namespace {

constexpr PictureShape kTinyPicture{12, 12, 3};
constexpr std::size_t kEpochs = 2, kSteps = 2, kPictures = 19, kTinyClasses = 4;

/// Two epochs of a narrow resnet-20, whose blocks end in additions, on what BITPLANE_ISA allows.
std::vector<std::byte> final_checkpoint(const MethodSettings& method, std::size_t threads) {
  const QuantizationPlan plan = make_plan(resolve_method(method));
  const auto net =
      build_net("resnet-20", {.input = kTinyPicture, .classes = kTinyClasses, .width = 0.25, .plan = plan});
  initialize_parameters(*net, 3);
  const auto sgd = make_sgd(named_parameters(*net), {.momentum = 0.9, .weight_decay = 1e-3});
  Backend backend({.features = run_features(), .threads = threads});
  const Context ctx{.backend = backend};
  std::vector<std::uint16_t> labels;
  for (std::size_t i = 0; i < kPictures; ++i) labels.push_back(static_cast<std::uint16_t>(i % kTinyClasses));
  Progress progress;
  for (progress.epoch = 0; progress.epoch < kEpochs; ++progress.epoch) {
    for (std::uint64_t step = 0; step < kSteps; ++step, ++progress.step) {
      const Variable x(random_tensor({kPictures, kTinyPicture.height, kTinyPicture.width, 3}, step));
      const Variable loss = softmax_cross_entropy(ctx, net->forward(ctx, x), labels);
      clear_gradients(*net);
      backward(ctx, loss);
      sgd->step(backend, 0.05);
      progress.loss_sum += static_cast<double>(loss.value().data()[0]);
    }
  }
  const Task task;
  const RunIdentity identity;
  return serialize_checkpoint({.net = *net,
                               .optimizer = *sgd,
                               .average = nullptr,
                               .task = task,
                               .progress = progress,
                               .identity = identity});
}

class ForcedIsa {
 public:
  explicit ForcedIsa(std::string_view name) { ::setenv("BITPLANE_ISA", std::string(name).c_str(), 1); }
  ~ForcedIsa() { ::unsetenv("BITPLANE_ISA"); }
  ForcedIsa(const ForcedIsa&) = delete;
  ForcedIsa& operator=(const ForcedIsa&) = delete;
};

TEST(ReproducibilityTest, AResidualNetsCheckpointIsTheSameOnEveryIsaWithAnyThreads) {
  for (const MethodSettings& method :
       {MethodSettings{.method = "float"}, MethodSettings{.method = "lq-nets", .wbits = 2, .abits = 2}}) {
    const std::vector<std::byte> expected = final_checkpoint(method, 1);
    for (const std::size_t threads : {2, 3}) {
      SCOPED_TRACE(method.method + ", threads " + std::to_string(threads));
      EXPECT_TRUE(final_checkpoint(method, threads) == expected);
    }
    for (const kernels::IsaInfo& isa : kernels::kIsas) {
      if (!kernels::detect_cpu().has(isa.isa)) continue;
      SCOPED_TRACE(method.method + ", " + std::string(isa.name));
      const ForcedIsa forced(isa.name);
      EXPECT_TRUE(final_checkpoint(method, 2) == expected);
    }
  }
}

}  // namespace
}  // namespace bitplane::train::testing
