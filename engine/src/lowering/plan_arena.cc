// SPDX-License-Identifier: Apache-2.0
#include "lowering/plan_arena.h"

#include <algorithm>
#include <numeric>

namespace bitplane::engine {
namespace {

std::size_t aligned(std::size_t bytes) noexcept {
  return (bytes + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
}

bool overlap(const Lifetime& a, const Lifetime& b) noexcept {
  return a.first <= b.last && b.first <= a.last;
}

}  // namespace

std::size_t value_bytes(const Value& value, std::size_t batch) noexcept {
  const std::size_t elements = value.shape.height * value.shape.width * value.shape.channels;
  switch (value.form) {
    case ValueForm::Float:
      return batch * elements * sizeof(float);
    case ValueForm::Ranks:
      return batch * elements;
    case ValueForm::Planes:
      return batch * planes_layout(value).picture_bytes();
  }
  return 0;
}

std::vector<Lifetime> lifetimes(const Program& program, std::size_t batch) {
  std::vector<Lifetime> lives(program.values.size());
  for (std::size_t s = 0; s < program.steps.size(); ++s) {
    for (const ValueId id : outputs_of(program.steps[s])) {
      lives[id] = {.bytes = value_bytes(program.values[id], batch), .first = s, .last = s};
    }
    for (const ValueId id : inputs_of(program.steps[s])) lives[id].last = s;
  }
  if (program.preprocesses) lives[kInputValue].bytes = value_bytes(program.values[kInputValue], batch);
  lives[program.output].last = program.steps.size();
  return lives;
}

ArenaPlan plan_arena(std::span<const Lifetime> lifetimes) {
  std::vector<std::size_t> order(lifetimes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return lifetimes[a].bytes > lifetimes[b].bytes; });
  ArenaPlan plan;
  plan.offsets.assign(lifetimes.size(), 0);
  std::vector<std::size_t> placed;  // by offset
  for (const std::size_t value : order) {
    const std::size_t bytes = aligned(lifetimes[value].bytes);
    if (bytes == 0) continue;
    std::size_t offset = 0;
    for (const std::size_t other : placed) {
      if (!overlap(lifetimes[value], lifetimes[other])) continue;
      if (plan.offsets[other] >= offset + bytes) break;
      offset = std::max(offset, plan.offsets[other] + aligned(lifetimes[other].bytes));
    }
    plan.offsets[value] = offset;
    plan.bytes = std::max(plan.bytes, offset + bytes);
    const auto position = std::upper_bound(placed.begin(), placed.end(), offset,
                                           [&](std::size_t o, std::size_t v) { return o < plan.offsets[v]; });
    placed.insert(position, value);
  }
  return plan;
}

}  // namespace bitplane::engine
