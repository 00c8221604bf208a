// SPDX-License-Identifier: Apache-2.0
//
// Batch normalization over the rows of x (all dimensions but the last), alone and fused with what follows it.
//
//   y = fma(x, g_c, h_c),  g = gamma / sqrt(var + epsilon),  h = beta - mean * g   (double, rounded once)
//
// Training: the biased variance of the batch; the running variance takes the unbiased one. Statistics are
// taken over fixed blocks of rows and combined in block order in double.
#pragma once

#include "trainer/autograd/variable.h"
#include "trainer/quantizers/quantizer.h"

namespace bitplane::train {

struct BatchNormArguments {
  Variable gamma = {}, beta = {};  ///< undefined without affine; [c]
  Tensor* running_mean = nullptr;
  Tensor* running_var = nullptr;
  float epsilon = 1e-5F;
  float momentum = 0.9F;
};

Variable batch_norm(const Context& ctx, const Variable& x, const BatchNormArguments& arguments);

/// relu(batch_norm(x)) and quantize(relu(batch_norm(x))) with the bits of the single operations, in one pass
/// over memory each way (after the statistics).
Variable batch_norm_relu(const Context& ctx, const Variable& x, const BatchNormArguments& arguments);
Variable batch_norm_relu_quantize(const Context& ctx, const Variable& x, const BatchNormArguments& arguments,
                                  ActivationQuantizer& quantizer);

}  // namespace bitplane::train
