// SPDX-License-Identifier: Apache-2.0
#include "trainer/ops/elementwise.h"

#include <utility>

#include "trainer/autograd/profile.h"
#include "trainer/tensor/row_loops.h"

namespace bitplane::train {

Variable relu(const Context& ctx, const Variable& x) {
  const OpTimer timer(ctx, "relu");
  const Tensor& input = x.value();
  const RowMap map{.activation = kernels::Activation::Relu};
  Tensor y(input.shape());
  map_rows(ctx.backend, map, input, y);
  return record(ctx, "relu", y, {x},
                [&backend = ctx.backend, y, pass = pass_interval(map)](Tensor dy) -> Gradients {
                  return {mask_gradient(backend, pass, y, std::move(dy))};
                });
}

Variable add(const Context& ctx, const Variable& a, const Variable& b) {
  const OpTimer timer(ctx, "add");
  expect_shape(b.shape(), a.shape(), "second operand of add");
  Tensor sum(a.shape());
  float* to = sum.mutable_data();
  const float* left = a.value().data();
  const float* right = b.value().data();
  ctx.backend.threads().parallel_ranges(
      sum.size(), kFlatGrain, [&](std::size_t begin, std::size_t end, std::size_t) {
        ctx.backend.elementwise().add(
            {.size = end - begin, .a = left + begin, .b = right + begin, .y = to + begin});
      });
  return record(ctx, "add", std::move(sum), {a, b}, [](const Tensor& dy) -> Gradients { return {dy, dy}; });
}

Variable flatten(const Context& ctx, const Variable& x) {
  const Shape from = x.shape();
  const std::size_t n = from.front();
  return record(ctx, "flatten", x.value().reshaped({n, n == 0 ? 0 : from.size() / n}), {x},
                [from](const Tensor& dy) -> Gradients { return {dy.reshaped(from)}; });
}

}  // namespace bitplane::train
