// SPDX-License-Identifier: Apache-2.0
//
// What a method's plan makes of the nets: which layers it reaches, and what stands in front of its
// quantizers.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "trainer/methods/method.h"
#include "trainer/nets/net.h"
#include "trainer/nn/layers.h"
#include "trainer/trainer_support.h"

namespace bitplane::train {
namespace {

QuantizationPlan plan_of(const std::string& method, std::size_t wbits, std::size_t abits,
                         OptionValues options = {}) {
  return make_plan(resolve_method({method, wbits, abits, std::move(options)}));
}

std::unique_ptr<Module> cnn_small(const QuantizationPlan& plan, FirstLast first_last = FirstLast::Float) {
  return build_net("cnn-small",
                   {.input = {28, 28, 1}, .classes = 10, .plan = plan, .first_last = first_last});
}

/// "conv1:gdrq conv2:gdrq ..."
std::string weight_quantizers(Module& net) {
  std::string text;
  for (const QuantizedLayer& layer : quantized_layers(net))
    text += (text.empty() ? "" : " ") + layer.name + ":" + std::string(layer.quantizer->name());
  return text;
}

TEST(NetPlans, GdrqQuantizesTheFirstLayersWeightsAndNotTheLast) {
  const std::string inner = "conv2:gdrq conv3:gdrq conv4:gdrq conv5:gdrq";
  EXPECT_EQ(weight_quantizers(*cnn_small(plan_of("gdrq", 2, 2))), "conv1:gdrq " + inner);
  EXPECT_EQ(weight_quantizers(*cnn_small(plan_of("gdrq", 2, 2, {{"layers", "inner"}}))), inner);
  EXPECT_EQ(weight_quantizers(*cnn_small(plan_of("gdrq", 2, 2, {{"layers", "all"}}))),
            "conv1:gdrq " + inner + " fc:gdrq");
  // The stage that reshapes float weights reaches the same ones.
  const QuantizationPlan reshape = plan_of("gdrq", kFloatBits, 8, {{"reshape", "project"}});
  EXPECT_EQ(weight_quantizers(*cnn_small(reshape)), "conv1:gdrq " + inner);
  EXPECT_EQ(weight_quantizers(*cnn_small(plan_of("gdrq", 2, 2), FirstLast::Bytes)),
            "conv1:bytes " + inner + " fc:bytes");
}

}  // namespace
}  // namespace bitplane::train
