// SPDX-License-Identifier: Apache-2.0
//
// Whole nets of four methods against golden vectors in double precision: codes and the prediction are equal,
// the logits as near as float32 gets.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "bitplane/engine.h"
#include "bitplane/model_spec.h"
#include "golden/golden_json.h"

namespace bitplane::engine {
namespace {

using golden::array;
using golden::shape;
using nlohmann::json;

BatchNorm batch_norm(const json& bn, float epsilon) {
  return {array(bn.at("mean")), array(bn.at("var")), array(bn.at("gamma")), array(bn.at("beta")), epsilon};
}

Quantize quantizer(const json& q) {
  Quantize quantize;
  quantize.bits = q.at("bits").get<std::size_t>();
  if (q.at("type") == "lq") {
    quantize.basis = LearnedBasis{array(q.at("v"))};
  } else {
    quantize.basis = UniformBasis{{array(q.at("value_of_rank"))[1]}};
  }
  for (const double t : array<double>(q.at("thresholds"))) {
    const auto stored = static_cast<float>(t);
    quantize.thresholds.push_back(
        q.at("comparison") == ">" ? stored : std::nextafter(stored, -std::numeric_limits<float>::infinity()));
  }
  quantize.code_of_rank = array<std::uint8_t>(q.at("code_of_rank"));
  return quantize;
}

/// Codes of a learned basis are bit patterns, all others signed integers: their two's complement is the
/// pattern.
PlaneWeights plane_weights(const json& layer, std::size_t bits) {
  const std::vector<std::size_t> dims = shape(layer.at("weight_codes"));
  const std::size_t rows = dims[0], k = dims[1] * dims[2] * dims[3], words = (k + 63) / 64;
  const std::vector<int> codes = array<int>(layer.at("weight_codes"));
  const std::vector<float> values = array(layer.at("weight_values"));
  PlaneWeights weights;
  weights.planes = {bits, rows, k, std::vector<std::uint64_t>(bits * rows * words, 0)};
  for (std::size_t i = 0; i < codes.size(); ++i) {
    for (std::size_t plane = 0; plane < bits; ++plane) {
      const auto bit = static_cast<std::uint64_t>((codes[i] >> plane) & 1);
      weights.planes.words[(plane * rows + i / k) * words + i % k / 64] |= bit << (i % k % 64);
    }
  }
  if (layer.at("weight_quantizer").at("type") == "lq") {
    const std::vector<float> v = array(layer.at("weight_quantizer").at("v"));  // [rows][bits]
    LearnedBasis basis;
    for (std::size_t i = 0; i < v.size(); ++i) basis.values.push_back(v[(i % rows) * bits + i / rows]);
    weights.encoding = PlaneEncoding::Bipolar;
    weights.basis = basis;
    return weights;
  }
  UniformBasis basis{std::vector<float>(rows, 0.0F)};
  for (std::size_t i = 0; i < codes.size(); ++i) {
    if (codes[i] != 0) basis.scale[i / k] = values[i] / static_cast<float>(codes[i]);
  }
  weights.encoding = PlaneEncoding::TwosComplement;
  weights.basis = basis;
  return weights;
}

class NetBuilder {
 public:
  explicit NetBuilder(const json& c) {
    const std::vector<std::size_t> image = shape(c.at("image"));
    spec_.name = c.at("name").get<std::string>();
    spec_.input = {image[1], image[2], image[3], std::vector<float>(image[3], 0.0F),
                   std::vector<float>(image[3], 1.0F)};
    const auto epsilon = c.at("bn_epsilon").get<float>();
    const std::vector<std::size_t> first = shape(c.at("conv1_weights"));
    add("conv1", convolution(first, {1, 1}, FloatWeights{array(c.at("conv1_weights"))}));
    for (const json& layer : c.at("layers")) {
      add("bn", batch_norm(layer.at("bn_before"), epsilon));
      add("relu", Relu{});
      add("quantize", quantizer(layer.at("activation_quantizer")));
      const std::array geometry{layer.at("stride").get<std::size_t>(), layer.at("pad").get<std::size_t>()};
      add("conv", convolution(shape(layer.at("weights")), geometry,
                              plane_weights(layer, c.at("weight_bits").get<std::size_t>())));
    }
    add("bn", batch_norm(c.at("bn_last"), epsilon));
    add("relu", Relu{});
    add("gap", GlobalAveragePool{});
    add("fc", Linear{shape(c.at("fc_weights"))[0], FloatWeights{array(c.at("fc_weights"))},
                     array(c.at("fc_bias"))});
    spec_.output = spec_.nodes.back().name;
  }

  [[nodiscard]] const ModelSpec& spec() const { return spec_; }

 private:
  /// geometry: stride and padding, the same in both directions.
  static Conv2d convolution(const std::vector<std::size_t>& dims, std::array<std::size_t, 2> geometry,
                            Weights weights) {
    Conv2d conv;
    conv.out_channels = dims[0];
    conv.kernel_h = dims[1];
    conv.kernel_w = dims[2];
    conv.stride_h = conv.stride_w = geometry[0];
    conv.pad_h = conv.pad_w = geometry[1];
    conv.weights = std::move(weights);
    return conv;
  }

  void add(const std::string& name, Operation op) {
    const std::string input = spec_.nodes.empty() ? "input" : spec_.nodes.back().name;
    spec_.nodes.push_back({name + "_" + std::to_string(spec_.nodes.size()), {input}, std::move(op)});
  }

  ModelSpec spec_;
};

TEST(NetGolden, CodesPredictionsAndLogits) {
  const std::vector<json> cases = golden::cases("net");
  ASSERT_EQ(cases.size(), 4U);
  for (const json& c : cases) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    Result<Model> model = Model::from_spec(NetBuilder(c).spec());
    ASSERT_TRUE(model.ok()) << model.status().message();
    const std::size_t batch = shape(c.at("image"))[0];
    Result<Session> session = Session::create(model.value(), {.batch = batch, .capture_codes = true});
    ASSERT_TRUE(session.ok()) << session.status().message();
    ASSERT_TRUE(session->run(array(c.at("image"))).ok());

    ASSERT_EQ(session->quantizers().size(), c.at("layers").size());
    for (std::size_t q = 0; q < c.at("layers").size(); ++q) {
      const std::span<const std::uint8_t> codes = session->codes(q);
      EXPECT_EQ(std::vector<std::uint8_t>(codes.begin(), codes.end()),
                array<std::uint8_t>(c.at("layers")[q].at("codes")))
          << "quantizer " << q;
    }
    const std::vector<double> logits = array<double>(c.at("logits"));
    const std::span<const float> output = session->output();
    ASSERT_EQ(output.size(), logits.size());
    for (std::size_t i = 0; i < logits.size(); ++i) {
      EXPECT_NEAR(output[i], logits[i], 2e-4 * std::max(1.0, std::abs(logits[i])));
    }
    const std::size_t classes = logits.size() / batch;
    for (std::size_t n = 0; n < batch; ++n) {
      const auto row = output.subspan(n * classes, classes);
      EXPECT_EQ(std::max_element(row.begin(), row.end()) - row.begin(), array<int>(c.at("argmax"))[n]);
    }
  }
}

}  // namespace
}  // namespace bitplane::engine
