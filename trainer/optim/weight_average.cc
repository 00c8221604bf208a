// SPDX-License-Identifier: Apache-2.0
#include "trainer/optim/weight_average.h"

#include <algorithm>
#include <utility>

#include "trainer/tensor/row_loops.h"

namespace bitplane::train {

bool is_averaged_buffer(const std::string& name) noexcept {
  return name.ends_with("running_mean") || name.ends_with("running_var");
}

WeightAverage::WeightAverage(Module& net, double decay) : decay_(decay) {
  for (const NamedParameter& p : named_parameters(net)) {
    Tensor& value = p.parameter->variable.mutable_value();
    entries_.push_back({p.name, &value, value.clone()});
  }
  for (const NamedBuffer& b : named_buffers(net)) {
    if (is_averaged_buffer(b.name)) entries_.push_back({b.name, b.buffer, b.buffer->clone()});
  }
}

void WeightAverage::update(Backend& backend, std::uint64_t step) {
  const auto t = static_cast<double>(step);
  const auto share = static_cast<float>(1.0 - std::min(decay_, (1.0 + t) / (10.0 + t)));
  for (Entry& entry : entries_) {
    const float* trained = entry.trained->data();
    float* average = entry.average.mutable_data();
    backend.threads().parallel_ranges(
        entry.average.size(), kFlatGrain, [&](std::size_t begin, std::size_t end, std::size_t) {
          backend.elementwise().blend(
              {.size = end - begin, .share = share, .x = trained + begin, .y = average + begin});
        });
  }
}

void WeightAverage::visit_state(const std::function<void(const std::string&, Tensor&)>& visit) {
  for (Entry& entry : entries_) visit(entry.name, entry.average);
}

void WeightAverage::exchange() noexcept {
  for (Entry& entry : entries_) std::swap(*entry.trained, entry.average);
}

}  // namespace bitplane::train
