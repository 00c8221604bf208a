// SPDX-License-Identifier: Apache-2.0
//
// Exponential moving average of a net's weights (Polyak averaging), evaluated and exported in their place.
//
//   a <- a + share * (w - a), share = 1 - min(decay, (1 + t) / (10 + t)) at step t: the first steps count
//   less
//
// Averaged are all parameters and batch normalization's running mean and variance. Other buffers (learned
// bases, thresholds, counters) belong to the quantizers and are those of the trained net.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "trainer/nn/module.h"

namespace bitplane::train {

class WeightAverage {
 public:
  /// Starts as the net's values.
  WeightAverage(Module& net, double decay);

  /// `step` steps were done before the one that has just been done.
  void update(Backend& backend, std::uint64_t step);
  /// "<parameter or buffer>" and its average.
  void visit_state(const std::function<void(const std::string& name, Tensor& tensor)>& visit);

  /// While it lives, the net holds the averages.
  class InPlace {
   public:
    explicit InPlace(WeightAverage& average) : average_(&average) { average.exchange(); }
    ~InPlace() { average_->exchange(); }
    InPlace(const InPlace&) = delete;
    InPlace& operator=(const InPlace&) = delete;

   private:
    WeightAverage* average_;
  };

 private:
  void exchange() noexcept;

  struct Entry {
    std::string name;
    Tensor* trained;
    Tensor average;
  };
  std::vector<Entry> entries_;
  double decay_;
};

/// Whether the average holds this buffer: batch normalization's running statistics.
[[nodiscard]] bool is_averaged_buffer(const std::string& name) noexcept;

}  // namespace bitplane::train
