// SPDX-License-Identifier: Apache-2.0
//
// One training step, ready to be run again and again: a net, its optimizer and a batch of random pictures.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "trainer/autograd/context.h"
#include "trainer/autograd/profile.h"
#include "trainer/nets/net.h"
#include "trainer/optim/optimizer.h"
#include "trainer/tensor/backend.h"

namespace bitplane::bench {

struct TrainedMethod {
  std::string label, name;
  std::size_t weight_bits, activation_bits;
};

struct StepOptions {
  std::string net;
  TrainedMethod method;
  std::size_t batch = 128;
  train::BackendOptions backend{};
  train::Fusion fusion = train::Fusion::On;
};

class TrainingStep {
 public:
  explicit TrainingStep(const StepOptions& options);

  /// Forward, backward, update; the loss before the update.
  float run();
  /// Where the time of the coming steps goes; null: not asked.
  void set_profile(train::OpProfile* profile) { profile_ = profile; }
  /// Multiply-accumulates of one picture's forward pass.
  [[nodiscard]] double forward_macs() const noexcept { return forward_macs_; }

 private:
  StepOptions options_;
  train::Backend backend_;
  std::unique_ptr<train::Module> net_;
  std::vector<train::NamedParameter> parameters_;
  std::unique_ptr<train::Optimizer> optimizer_;
  train::Tensor pictures_;
  std::vector<std::uint16_t> labels_;
  double forward_macs_ = 0;
  train::OpProfile* profile_ = nullptr;
};

/// Throws std::runtime_error unless a few steps on few pictures give finite losses and the same bits as with
/// another instruction set, one thread and no fused operation.
void check_training(const StepOptions& options);

}  // namespace bitplane::bench
