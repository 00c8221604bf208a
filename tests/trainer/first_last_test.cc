// SPDX-License-Identifier: Apache-2.0
//
// 8-bit first and last layers: their quantizers by definition and by gradient, what training sees, and models
// that nobody trained.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "bitplane/engine.h"
#include "bitplane/model_spec.h"
#include "trainer/config/config.h"
#include "trainer/data/preprocessing.h"
#include "trainer/export/untrained.h"
#include "trainer/ops/quantize.h"
#include "trainer/quantizers/byte_weights.h"
#include "trainer/quantizers/running_clip.h"
#include "trainer_support.h"

namespace bitplane::train::testing {
namespace {

class FirstLastTest : public ::testing::Test {
 protected:
  [[nodiscard]] Context eval() {
    Context ctx{backend_};
    ctx.mode = Mode::Eval;
    return ctx;
  }
  Backend backend_;
  Context ctx_{backend_};
};

TEST_F(FirstLastTest, ByteWeightsByDefinition) {
  Tensor w = random_tensor({4, 3, 3, 5}, 11);
  for (std::size_t i = 45; i < 90; ++i) w.mutable_data()[i] = 0.0F;  // a channel of zeros
  ByteWeights quantizer({.out_channels = 4, .filter_size = 45});
  const Tensor y = quantizer.forward(ctx_, w);
  const WeightExport e = quantizer.export_weights(w);
  EXPECT_EQ(e.encoding, engine::PlaneEncoding::TwosComplement);
  const auto& scale = std::get<engine::UniformBasis>(e.basis).scale;
  for (std::size_t o = 0; o < 4; ++o) {
    float largest = 0.0F;
    for (std::size_t i = 0; i < 45; ++i) largest = std::max(largest, std::fabs(w.data()[o * 45 + i]));
    ASSERT_EQ(scale[o], largest / 127.0F);
    for (std::size_t i = o * 45; i < (o + 1) * 45; ++i) {
      const float level = largest == 0.0F ? 0.0F : std::floor(std::fabs(w.data()[i]) / scale[o] + 0.5F);
      const auto code = static_cast<float>(static_cast<std::int8_t>(e.codes[i]));
      ASSERT_EQ(code, std::copysign(level, w.data()[i]));
      ASSERT_EQ(y.data()[i], code * scale[o]);
    }
  }
  EXPECT_EQ(scale[1], 0.0F);
}

TEST_F(FirstLastTest, FirstLayersQuantizeWhatMultipliesTheBytes) {
  const Tensor w = random_tensor({3, 2, 2, 3}, 12);
  const std::vector<float> a{0.5F, 0.25F, 2.0F};
  Tensor scaled(w.shape());
  for (std::size_t i = 0; i < w.size(); ++i) scaled.mutable_data()[i] = w.data()[i] * a[i % 3];
  ByteWeights first({.out_channels = 3, .filter_size = 12, .picture_scale = a});
  ByteWeights plain({.out_channels = 3, .filter_size = 12});
  EXPECT_TRUE(first.reads_picture());
  EXPECT_FALSE(plain.reads_picture());
  EXPECT_EQ(first.export_weights(w).codes, plain.export_weights(scaled).codes);
  const Tensor y = first.forward(ctx_, w), bytes = plain.forward(ctx_, scaled);
  for (std::size_t i = 0; i < w.size(); ++i) ASSERT_EQ(y.data()[i], bytes.data()[i] / a[i % 3]);
}

TEST_F(FirstLastTest, TheGradientOfByteWeightsIsOne) {
  for (const std::vector<float>& a : {std::vector<float>{}, std::vector<float>{0.5F, 3.0F}}) {
    ByteWeights quantizer({.out_channels = 2, .filter_size = 6, .picture_scale = a});
    const Tensor w = random_tensor({2, 6}, 13), dy = random_tensor({2, 6}, 14);
    const std::vector<Tensor> gradients = quantizer.backward(ctx_, w, dy);
    ASSERT_EQ(gradients.size(), 1U);
    for (std::size_t i = 0; i < w.size(); ++i) EXPECT_EQ(gradients[0].data()[i], dy.data()[i]);
  }
}

TEST_F(FirstLastTest, TheClipFollowsTheMeanOfTheBatch) {
  RunningClip quantizer({});
  Tensor x({4, 5});
  for (std::size_t i = 0; i < x.size(); ++i) x.mutable_data()[i] = static_cast<float>(i);  // mean 9.5
  const auto clip = [&] { return static_cast<double>(quantizer.table().levels.back()); };
  quantizer.before_batch(ctx_, x);
  EXPECT_NEAR(clip(), 38.0, 1e-4);
  for (float& v : x.mutable_values()) v *= 2.0F;
  quantizer.before_batch(ctx_, x);
  EXPECT_NEAR(clip(), 38.38, 1e-4);  // 0.99 * 38 + 0.01 * 76
  static_cast<void>(quantize(eval(), Variable(x), quantizer));
  EXPECT_NEAR(clip(), 38.38, 1e-4);  // frozen
}

TEST_F(FirstLastTest, ActivationsByDefinition) {
  for (const ClipRange range : {ClipRange::Positive, ClipRange::Signed}) {
    RunningClip quantizer({.range = range});
    Tensor x = random_tensor({64, 7}, 15);
    x.mutable_data()[0] = 0.0F;
    x.mutable_data()[1] = 1e30F;
    quantizer.before_batch(ctx_, random_tensor({64, 7}, 16));
    const engine::Quantize spec = quantizer.export_spec();
    const auto s = static_cast<double>(std::get<engine::UniformBasis>(spec.basis).scale[0]);
    const bool positive = range == ClipRange::Positive;
    const double most = positive ? 255 : 127, least = positive ? 0 : -127;
    const std::vector<std::uint8_t> codes = quantize_codes(x, quantizer.table());
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double ratio = static_cast<double>(x.data()[i]) / s;
      const double level = std::copysign(std::floor(std::fabs(ratio) + 0.5), ratio);
      const int code = positive ? int{codes[i]} : int{static_cast<std::int8_t>(codes[i])};
      ASSERT_EQ(code, static_cast<int>(std::clamp(level, least, most)))
          << x.data()[i] << " in steps of " << s;
    }
    // The upper level at a tie.
    for (const int k : {1, 2, 100}) {
      Tensor tie({1});
      tie.mutable_data()[0] = static_cast<float>((k - 0.5) * s);
      EXPECT_EQ(int{quantize_codes(tie, quantizer.table())[0]}, k);
    }
  }
}

TEST_F(FirstLastTest, ZerosAloneHaveCodeZero) {
  for (const ClipRange range : {ClipRange::Positive, ClipRange::Signed}) {
    RunningClip quantizer({.range = range});
    const Tensor x = Tensor::zeros({2, 3});
    quantizer.before_batch(ctx_, x);
    EXPECT_EQ(quantize_codes(x, quantizer.table()), (std::vector<std::uint8_t>(6, 0)));
    EXPECT_EQ(std::get<engine::UniformBasis>(quantizer.export_spec().basis).scale[0], 0.0F);
  }
}

TEST_F(FirstLastTest, GradientsOfTheClipAgainstTheirSurrogate) {
  for (const ClipRange range : {ClipRange::Positive, ClipRange::Signed}) {
    RunningClip quantizer({.range = range});
    Tensor start({1});
    start.mutable_data()[0] = 0.25F;  // T = 1
    quantizer.before_batch(ctx_, start);
    const std::vector<float> values{-2.0F, -0.5F, 0.25F, 0.75F, 1.5F, 3.0F};
    Tensor x({values.size()}), dy({values.size()});
    std::copy(values.begin(), values.end(), x.mutable_data());
    for (float& v : dy.mutable_values()) v = 1.0F;
    const Tensor dx = quantizer.backward(ctx_, quantizer.table(), x, dy)[0];
    for (std::size_t i = 0; i < x.size(); ++i) {
      constexpr double kStep = 1e-4;
      std::vector<double> above(values.begin(), values.end()), below = above;
      above[i] += kStep;
      below[i] -= kStep;
      const double rise =
          quantizer.surrogate({.at = x, .x = above})[i] - quantizer.surrogate({.at = x, .x = below})[i];
      EXPECT_NEAR(rise / (2 * kStep), static_cast<double>(dx.data()[i]), 1e-6) << values[i];
    }
  }
}

TEST(FirstLast, MeansAreWholeBytes) {
  const Preprocessing whole =
      with_whole_byte_means({.mean = {0.0F, 0.4914F, 1.0F}, .std = {1.0F, 0.2F, 0.3F}});
  EXPECT_EQ(engine::zero_byte(whole.mean[0]), 0);
  EXPECT_EQ(engine::zero_byte(whole.mean[1]), 125);
  EXPECT_EQ(engine::zero_byte(whole.mean[2]), 255);
  EXPECT_EQ(engine::zero_byte(0.4914F), std::nullopt);
  EXPECT_EQ(engine::zero_byte(-0.1F), std::nullopt);
  EXPECT_EQ(engine::zero_byte(std::numeric_limits<float>::quiet_NaN()), std::nullopt);
}

TEST(FirstLast, ConfigRefusesOtherValuesAndMeanPictures) {
  PartialConfig given;
  given.values.first_last = "4";
  given.given = {"first_last"};
  EXPECT_THROW(static_cast<void>(resolve_config({}, given)), std::invalid_argument);
  given.values.first_last = "8";
  EXPECT_EQ(resolve_config({}, given).first_last, "8");
  given.values.normalize = "pixel-mean";
  given.given.insert("normalize");
  EXPECT_THROW(static_cast<void>(resolve_config({}, given)), std::invalid_argument);
}

TEST(Untrained, ModelsPassTheirSelfTestAndUseTheirCodes) {
  for (const std::string codes : {"uniform", "learned"}) {
    for (const std::string first_last : {"float", "8"}) {
      SCOPED_TRACE(codes + ", first and last " + first_last);
      const engine::ModelSpec spec =
          make_untrained({.net = "resnet-20", .codes = codes, .first_last = first_last, .width = 0.5});
      const auto model = engine::Model::from_spec(spec);
      ASSERT_TRUE(model.ok()) << model.status().message();
      ASSERT_TRUE(engine::self_test(model.value()).ok());
      auto session = engine::Session::create(model.value(), {.capture_codes = true});
      ASSERT_TRUE(session->run(spec.golden.input).ok());
      for (std::size_t q = 0; q < session->quantizers().size(); ++q) {
        const auto seen = session->codes(q);
        EXPECT_NE(*std::min_element(seen.begin(), seen.end()), *std::max_element(seen.begin(), seen.end()))
            << session->quantizers()[q];
      }
    }
  }
  EXPECT_THROW(static_cast<void>(make_untrained({.net = "resnet-20", .codes = "square"})),
               std::invalid_argument);
}

}  // namespace
}  // namespace bitplane::train::testing
