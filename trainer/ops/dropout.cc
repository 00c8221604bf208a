// SPDX-License-Identifier: Apache-2.0
#include "trainer/ops/dropout.h"

#include <stdexcept>
#include <string>
#include <utility>

#include "trainer/autograd/profile.h"
#include "trainer/math/random.h"
#include "trainer/tensor/row_loops.h"

namespace bitplane::train {
namespace {

constexpr unsigned kStepBits = 34;  // random numbers of one step: 2^34

/// One draw of a whole tensor's fate.
struct DropoutMask {
  std::uint64_t seed, stream, step;
  std::uint32_t dropped_below;  ///< of the 2^32 values of a random number
  float scale;
};

/// y = x where it is kept, times scale; else +0. x and y may be one tensor.
void apply_mask(Backend& backend, const DropoutMask& mask, const Tensor& x, Tensor& y) {
  const float* from = x.data();
  float* to = y.mutable_data();
  backend.threads().parallel_ranges(
      x.size(), kFlatGrain, [&](std::size_t begin, std::size_t end, std::size_t) {
        Random random(mask.seed, mask.stream, (mask.step << kStepBits) + begin);
        for (std::size_t i = begin; i < end; ++i)
          to[i] = random.next_u32() < mask.dropped_below ? 0.0F : from[i] * mask.scale;
      });
}

}  // namespace

Variable dropout(const Context& ctx, const Variable& x, const DropoutOptions& options) {
  if (!(options.rate >= 0.0 && options.rate < 1.0)) {
    throw std::invalid_argument("dropout rate " + std::to_string(options.rate) +
                                ": it is at least 0 and below 1");
  }
  if (ctx.mode == Mode::Eval || options.rate == 0.0) return x;
  const OpTimer timer(ctx, "dropout");
  if (x.value().size() > std::uint64_t{1} << kStepBits)
    throw std::invalid_argument("dropout of " + x.shape().str() + ": more than 2^34 elements");
  const DropoutMask mask{.seed = ctx.seed,
                         .stream = options.stream,
                         .step = ctx.step,
                         .dropped_below = static_cast<std::uint32_t>(options.rate * 0x1p32),
                         .scale = static_cast<float>(1.0 / (1.0 - options.rate))};
  Tensor y(x.shape());
  apply_mask(ctx.backend, mask, x.value(), y);
  return record(ctx, "dropout", std::move(y), {x}, [&backend = ctx.backend, mask](Tensor dy) -> Gradients {
    Tensor dx = dy.unique() ? dy : Tensor(dy.shape());
    apply_mask(backend, mask, dy, dx);
    return {dx};
  });
}

}  // namespace bitplane::train
