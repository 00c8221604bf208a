// SPDX-License-Identifier: Apache-2.0
#include "engine/data/synthetic.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace bitplane::engine::data {
namespace {

constexpr std::size_t kClasses = 10;

std::uint64_t fnv1a(std::span<const std::uint8_t> bytes) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const std::uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001b3U;
  return hash;
}

PictureSet load(Split split) {
  auto set = load_synthetic("", split);
  EXPECT_TRUE(set.ok()) << set.status().message();
  return std::move(set).value();
}

/// The same bytes on every machine, compiler and instruction set: anyone's accuracy can be compared.
TEST(Synthetic, TheBytesAreFixed) {
  const PictureSet test = load(Split::Test);
  EXPECT_EQ(test.count, 2000U);
  EXPECT_EQ(fnv1a(test.pixels), 0x2d46d0d9fda3b9b8U);
}

TEST(Synthetic, SplitsAndPicturesDiffer) {
  const PictureSet test = load(Split::Test), train = load(Split::Train);
  EXPECT_EQ(train.count, 12000U);
  const auto equal = [](std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) {
    return std::equal(a.begin(), a.end(), b.begin());
  };
  for (std::size_t i = 0; i < test.count; ++i) {
    ASSERT_FALSE(equal(test.picture(i), train.picture(i))) << i;
    ASSERT_FALSE(equal(test.picture(i), test.picture((i + kClasses) % test.count))) << i;
  }
}

/// Softmax regression on the pixels, trained with plain gradient steps. Weights [class][pixel + 1].
class LinearClassifier {
 public:
  explicit LinearClassifier(std::size_t inputs) : inputs_(inputs), weights_(kClasses * (inputs + 1)) {}

  void train(const PictureSet& set, std::size_t first, std::size_t count, float rate) {
    std::vector<float> gradient(weights_.size());
    for (std::size_t i = first; i < first + count; ++i) {
      const std::vector<float> x = features(set, i);
      std::array<float, kClasses> p = scores(x);
      const float top = *std::max_element(p.begin(), p.end());
      float sum = 0;
      for (float& v : p) sum += v = std::exp(v - top);
      for (std::size_t c = 0; c < kClasses; ++c) {
        const float error = p[c] / sum - (set.labels[i] == c ? 1.0F : 0.0F);
        for (std::size_t k = 0; k < x.size(); ++k) gradient[c * x.size() + k] += error * x[k];
      }
    }
    for (std::size_t k = 0; k < weights_.size(); ++k)
      weights_[k] -= rate * gradient[k] / static_cast<float>(count);
  }

  [[nodiscard]] double accuracy(const PictureSet& set) const {
    std::size_t correct = 0;
    for (std::size_t i = 0; i < set.count; ++i) {
      const auto p = scores(features(set, i));
      correct +=
          static_cast<std::size_t>(std::max_element(p.begin(), p.end()) - p.begin()) == set.labels[i] ? 1 : 0;
    }
    return static_cast<double>(correct) / static_cast<double>(set.count);
  }

 private:
  [[nodiscard]] std::vector<float> features(const PictureSet& set, std::size_t i) const {
    std::vector<float> x(inputs_ + 1, 1.0F);
    for (std::size_t k = 0; k < inputs_; ++k) x[k] = static_cast<float>(set.picture(i)[k]) / 64.0F - 2.0F;
    return x;
  }
  [[nodiscard]] std::array<float, kClasses> scores(const std::vector<float>& x) const {
    std::array<float, kClasses> s{};
    for (std::size_t c = 0; c < kClasses; ++c) {
      for (std::size_t k = 0; k < x.size(); ++k) s[c] += weights_[c * x.size() + k] * x[k];
    }
    return s;
  }
  std::size_t inputs_;
  std::vector<float> weights_;
};

/// Harder than separable blobs: a linear classifier stays far below 80 %.
TEST(Synthetic, ALinearClassifierFails) {
  const PictureSet train = load(Split::Train), test = load(Split::Test);
  LinearClassifier classifier(train.picture_size());
  constexpr std::size_t kBatch = 100;
  for (std::size_t step = 0; step < 120; ++step) {
    classifier.train(train, step * kBatch % train.count, kBatch, 0.02F);
  }
  const double accuracy = classifier.accuracy(test);
  RecordProperty("linear_accuracy", std::to_string(accuracy));
  EXPECT_LT(accuracy, 0.5);
  EXPECT_GT(accuracy, 0.05) << "the classifier itself is broken";
}

}  // namespace
}  // namespace bitplane::engine::data
