// SPDX-License-Identifier: Apache-2.0
//
// Every net of the list, float and LQ-Nets 2/2 with 8-bit first and last layers, as an ONNX graph.
#include <gtest/gtest.h>

#include <string>

#include "engine/onnx/export.h"
#include "onnx/check_graph.h"
#include "trainer/export/describe.h"
#include "trainer/methods/method.h"
#include "trainer/nets/net.h"
#include "trainer/trainer_support.h"

namespace bitplane::train {
namespace {

TEST(OnnxNets, EveryNetOfTheListIsASoundGraph) {
  for (const NetInfo& info : nets()) {
    for (const std::size_t bits : {std::size_t{2}, kFloatBits}) {
      SCOPED_TRACE(std::string(info.name) + ", bits " + std::to_string(bits));
      const FirstLast ends = bits == kFloatBits ? FirstLast::Float : FirstLast::Bytes;
      const QuantizationPlan plan = make_plan(
          resolve_method({.method = bits == kFloatBits ? "float" : "lq-nets", .wbits = bits, .abits = bits}));
      const PictureShape input{info.min_size, info.min_size, 3};
      const auto net = build_net(
          info.name, {.input = input, .classes = 5, .width = 0.1, .plan = plan, .first_last = ends});
      initialize_parameters(*net, 3);
      const engine::ModelSpec spec =
          describe_net(layer_graph(*net), {.input = input,
                                           .labels = {},
                                           .preprocessing = {{0.2F, 0.2F, 0.2F}, {0.25F, 0.25F, 0.25F}},
                                           .sample = {}});
      const auto exported = onnx::export_onnx(spec, {});
      ASSERT_TRUE(exported.ok()) << exported.status().message();
      ASSERT_NO_FATAL_FAILURE(onnx::testing::expect_sound(onnx::testing::read_onnx(exported->file), spec));
    }
  }
}

}  // namespace
}  // namespace bitplane::train
