// SPDX-License-Identifier: Apache-2.0
#include "trainer/quantizers/running_clip.h"

#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

#include "trainer/tensor/row_loops.h"

namespace bitplane::train {
namespace {

constexpr double kMultiple = 4.0, kRate = 0.01;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Of the whole tensor: blocks of fixed size, added in order.
double mean_magnitude(Backend& backend, const Tensor& x) {
  Tensor magnitude(x.shape());
  float* to = magnitude.mutable_data();
  for (std::size_t i = 0; i < x.size(); ++i) to[i] = std::fabs(x.data()[i]);
  double sum = 0.0;
  for (const double channel : channel_sums(backend, magnitude)) sum += channel;
  return x.size() == 0 ? 0.0 : sum / static_cast<double>(x.size());
}

}  // namespace

RunningClip::RunningClip(const RunningClipOptions& options) : options_(options), clip_(Tensor::zeros({1})) {
  if (options.bits < 2 || options.bits > 8) {
    throw std::invalid_argument("activations below a running clip take 2 to 8 bits, got " +
                                std::to_string(options.bits));
  }
}

std::string_view RunningClip::name() const noexcept {
  return "running-clip";
}

void RunningClip::visit_state(const std::string& prefix, const StateVisitor& visitor) {
  visitor.buffer(prefix + "clip", clip_);
}

float RunningClip::step() const noexcept {
  const std::size_t codes = std::size_t{1} << options_.bits;
  const std::size_t positive = options_.range == ClipRange::Positive ? codes - 1 : codes / 2 - 1;
  return static_cast<float>(static_cast<double>(clip_.data()[0]) / static_cast<double>(positive));
}

ThresholdTable RunningClip::table() const {
  const int codes = 1 << options_.bits;
  // Of a signed range the lowest code, which would be one too many, is never reached: no float is below its
  // threshold.
  const int lowest = options_.range == ClipRange::Positive ? 0 : -codes / 2;
  const float s = step();
  ThresholdTable table;
  table.bits = options_.bits;
  for (int code = lowest; code < lowest + codes; ++code) {
    table.levels.push_back(static_cast<float>(code) * s);
    table.code_of_rank.push_back(static_cast<std::uint8_t>(code & (codes - 1)));
    if (code == lowest) continue;
    if (code == lowest + 1 && lowest < 0) {
      table.thresholds.push_back(-std::numeric_limits<float>::max());
    } else if (s == 0.0F) {
      // Code 0 for every number.
      table.thresholds.push_back(code <= 0 ? -std::numeric_limits<float>::max()
                                           : std::numeric_limits<float>::max());
    } else {
      const auto tie = static_cast<float>((static_cast<double>(code) - 0.5) * static_cast<double>(s));
      table.thresholds.push_back(code > 0 ? std::nextafter(tie, -kInfinity) : tie);
    }
  }
  const float clip = clip_.data()[0];
  table.pass_above = options_.range == ClipRange::Positive ? 0.0F : -clip;
  table.pass_up_to = std::nextafter(clip, -kInfinity);
  return table;
}

void RunningClip::before_batch(const Context& ctx, const Tensor& x) {
  const double target = kMultiple * mean_magnitude(ctx.backend, x);
  const auto old = static_cast<double>(clip_.data()[0]);
  clip_.mutable_data()[0] = static_cast<float>(old == 0.0 ? target : (1.0 - kRate) * old + kRate * target);
}

std::vector<Reading> RunningClip::readings() const {
  return {{"clip_point", static_cast<double>(clip_.data()[0])}};
}

engine::Quantize RunningClip::export_spec() const {
  const ThresholdTable t = table();
  const bool positive = options_.range == ClipRange::Positive;
  return {.bits = t.bits,
          .encoding = positive ? engine::PlaneEncoding::Unsigned : engine::PlaneEncoding::TwosComplement,
          .basis = engine::UniformBasis{{step()}},
          .offset = 0.0F,
          .thresholds = t.thresholds,
          .code_of_rank = t.code_of_rank};
}

}  // namespace bitplane::train
