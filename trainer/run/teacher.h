// SPDX-License-Identifier: Apache-2.0
//
// The float net whose logits a run learns too. It sees the pictures as it saw them in its own training.
#pragma once

#include <memory>
#include <string>

#include "trainer/autograd/context.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/nn/module.h"

namespace bitplane::train {

class Teacher {
 public:
  /// The net of a finished float run that takes the pictures of `task`. Throws cli::CommandError or
  /// std::invalid_argument, both with its folder, for any other.
  Teacher(const std::string& path, const Task& task);
  /// `pictures`: as the run of `task` sees them.
  [[nodiscard]] Tensor logits(const Context& ctx, const Tensor& pictures);
  /// state_checksum() of its net, as text.
  [[nodiscard]] std::string checksum() const;

 private:
  [[nodiscard]] Tensor as_own(const Tensor& pictures) const;

  std::unique_ptr<Module> net_;
  Preprocessing own_, given_;
};

}  // namespace bitplane::train
