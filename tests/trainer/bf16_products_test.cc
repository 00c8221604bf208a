// SPDX-License-Identifier: Apache-2.0
//
// Training on bf16 kernels. Their arithmetic has its own tests; here products of small whole numbers, which
// every precision computes exactly, must be those of float32, whatever the geometry.
#include <gtest/gtest.h>

#include <cmath>

#include "trainer/nets/net.h"
#include "trainer/nn/layers.h"
#include "trainer/ops/bf16_products.h"
#include "trainer/ops/conv2d.h"
#include "trainer/run/build.h"
#include "trainer/trainer_support.h"

namespace bitplane::train {
namespace {

using testing::bits_of;
using testing::random_tensor;

Tensor whole_numbers(const Shape& shape, std::uint64_t seed) {
  Tensor t = random_tensor(shape, seed);
  for (float& v : t.mutable_values()) v = std::nearbyint(v * 2.0F);
  return t;
}

struct ProductCase {
  const char* name;
  Shape x, weights;
  ConvOptions options;
};

const ProductCase kProducts[] = {
    {"plain", {3, 8, 8, 16}, {20, 3, 3, 16}, {.pad_h = 1, .pad_w = 1}},
    {"many_pictures", {37, 4, 4, 16}, {16, 3, 3, 16}, {.pad_h = 1, .pad_w = 1}},
    {"halved", {2, 9, 8, 17}, {33, 3, 3, 17}, {.stride_h = 2, .stride_w = 2, .pad_h = 1, .pad_w = 1}},
    {"pointwise_halved", {2, 8, 8, 32}, {64, 1, 1, 32}, {.stride_h = 2, .stride_w = 2}},
    {"more_padding_than_window", {1, 5, 5, 16}, {16, 2, 2, 16}, {.pad_h = 2, .pad_w = 2}},
    {"rows_of_a_batch", {1, 50, 1, 40}, {24, 1, 1, 40}, {}},
};

/// The three products on one backend.
struct Products {
  Tensor y, dx, dw;
};

Products products_of(Backend& backend, const ProductCase& c, const Tensor& x, const Tensor& w,
                     const Tensor& dy, Rounding rounding = Rounding::Allowed) {
  ConvOptions options = c.options;
  options.rounding = rounding;
  return {conv2d_forward(backend, x, w, options), conv2d_data_gradient(backend, c.x, w, dy, options),
          conv2d_weight_gradient(backend, x, c.weights, dy, options)};
}

Shape output_shape(const ProductCase& c) {
  const kernels::ConvShape s = conv_shape(c.x, c.weights, c.options);
  return {s.batch, s.out_height(), s.out_width(), s.out_channels};
}

class Bf16Training : public ::testing::Test {
 protected:
  void SetUp() override {
    if (kernels::select_bf16(kernels::detect_cpu()) == nullptr)
      GTEST_SKIP() << "neither avx512bf16 nor amx can run here";
  }
};

TEST_F(Bf16Training, WholeNumbersGiveTheProductsOfFloat32) {
  Backend float32({.threads = 2}), bf16({.threads = 2, .precision = Precision::Bf16});
  for (const ProductCase& c : kProducts) {
    SCOPED_TRACE(c.name);
    ASSERT_TRUE(takes_bf16(bf16, conv_shape(c.x, c.weights, c.options), Rounding::Allowed));
    const Tensor x = whole_numbers(c.x, 1), w = whole_numbers(c.weights, 2),
                 dy = whole_numbers(output_shape(c), 3);
    const Products expected = products_of(float32, c, x, w, dy), got = products_of(bf16, c, x, w, dy);
    EXPECT_TRUE(std::ranges::equal(got.y.values(), expected.y.values()));
    EXPECT_TRUE(std::ranges::equal(got.dx.values(), expected.dx.values()));
    EXPECT_TRUE(std::ranges::equal(got.dw.values(), expected.dw.values()));
  }
}

TEST_F(Bf16Training, TheSameBitsForAnyNumberOfThreads) {
  Backend one({.threads = 1, .precision = Precision::Bf16}),
      three({.threads = 3, .precision = Precision::Bf16});
  for (const ProductCase& c : kProducts) {
    SCOPED_TRACE(c.name);
    const Tensor x = random_tensor(c.x, 1), w = random_tensor(c.weights, 2),
                 dy = random_tensor(output_shape(c), 3);
    const Products a = products_of(one, c, x, w, dy), b = products_of(three, c, x, w, dy);
    EXPECT_EQ(bits_of(a.y), bits_of(b.y));
    EXPECT_EQ(bits_of(a.dx), bits_of(b.dx));
    EXPECT_EQ(bits_of(a.dw), bits_of(b.dw));
  }
}

TEST_F(Bf16Training, OnlyWhatMayBeRoundedIs) {
  Backend float32, bf16({.precision = Precision::Bf16});
  const ProductCase& c = kProducts[0];
  const Tensor x = random_tensor(c.x, 1), w = random_tensor(c.weights, 2),
               dy = random_tensor(output_shape(c), 3);
  const Products exact = products_of(float32, c, x, w, dy), rounded = products_of(bf16, c, x, w, dy),
                 never = products_of(bf16, c, x, w, dy, Rounding::Never);
  EXPECT_NE(bits_of(rounded.y), bits_of(exact.y));
  EXPECT_NE(bits_of(rounded.dx), bits_of(exact.dx));
  EXPECT_NE(bits_of(rounded.dw), bits_of(exact.dw));
  EXPECT_EQ(bits_of(never.y), bits_of(exact.y));
  EXPECT_EQ(bits_of(never.dx), bits_of(exact.dx));
  EXPECT_EQ(bits_of(never.dw), bits_of(exact.dw));
}

TEST(Bf16Net, FirstAndLastLayersStayFloat32) {
  Config config;
  config.method = "float";
  config.wbits = config.abits = kFloatBits;
  const auto net = build_run_net(config, {.height = 28, .width = 28, .channels = 1}, 10);
  LayerGraph graph;
  net->append_to(graph, "", "input");
  std::vector<Rounding> convolutions;
  for (const auto& node : graph.nodes) {
    if (const auto* conv = std::get_if<const Conv2d*>(&node.layer))
      convolutions.push_back((*conv)->options().rounding);
    if (const auto* last = std::get_if<const Linear*>(&node.layer)) {
      EXPECT_EQ((*last)->options().rounding, Rounding::Never);
    }
  }
  ASSERT_EQ(convolutions.size(), 5U);
  EXPECT_EQ(convolutions[0], Rounding::Never);
  for (std::size_t i = 1; i < convolutions.size(); ++i) EXPECT_EQ(convolutions[i], Rounding::Allowed);
}

TEST(Bf16Backend, AMachineWithoutItRefuses) {
  EXPECT_THROW(Backend({.features = {}, .precision = Precision::Bf16}), std::invalid_argument);
  EXPECT_EQ(Backend({.features = {}}).bf16(), nullptr);
}

}  // namespace
}  // namespace bitplane::train
