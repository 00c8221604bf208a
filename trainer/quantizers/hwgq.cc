// SPDX-License-Identifier: Apache-2.0
//
// HWGQ (Cai, He, Sun, Vasconcelos, "Deep learning with low precision by half-wave Gaussian quantization",
// CVPR 2017): k Delta with the Delta that is best for the positive half of a standard normal distribution;
// k = #{j = 0..L-1 : x > (j = 0 ? 0 : (j + 1/2) Delta)}, L = 2^n - 1. Every positive value is at least Delta.
// levels=non-uniform: 0 and the two best positive levels, each a plane of its own; both planes are never set.
// The batch norm right in front has no scale and shift.
//
//   backward  with the largest level q: clipped: 1 on 0 < x <= q; vanilla: 1 for x > 0; log-tailed:
//             1 / (x - (q - 1)) above q
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>

#include "trainer/quantizers/rows.h"
#include "trainer/quantizers/uniform.h"

namespace bitplane::train {
namespace {

constexpr std::string_view kHwgqName = "hwgq";
/// By bits. 2 bits as in the public configuration (the optimum is 0.5388).
constexpr std::array kHwgqSteps{0.7979F, 0.538F, 0.3217F, 0.1842F, 0.102984F};

/// As in the public configuration (the optimum is 0.4528 and 1.5104).
constexpr std::array kHwgqPair{0.453F, 1.51F};

constexpr std::array<std::string_view, 2> kHwgqLevels{"uniform", "non-uniform"};
constexpr std::array<std::string_view, 3> kHwgqTails{"clipped", "vanilla", "log-tailed"};
constexpr std::array kHwgqOptions{
    OptionInfo{.name = "levels",
               .help = "uniform, or with 2 bits non-uniform: 0, 0.453 and 1.51",
               .kind = OptionKind::Choice,
               .choices = kHwgqLevels},
    OptionInfo{.name = "tail",
               .help = "gradient above the largest level: clipped (0), vanilla (1) or log-tailed",
               .kind = OptionKind::Choice,
               .choices = kHwgqTails},
};

class HwgqActivations final : public ActivationQuantizer {
 public:
  explicit HwgqActivations(const ActivationQuantizerOptions& options)
      : bits_(options.bits), step_(kHwgqSteps[options.bits - 1]) {
    const OptionReader read(kHwgqOptions, options.options);
    uniform_ = read.choice("levels") == "uniform";
    tail_ = read.choice("tail");
    if (!uniform_ && bits_ != kHwgqPair.size()) {
      throw std::invalid_argument("hwgq: levels=non-uniform takes 2 activation bits, got " +
                                  std::to_string(bits_) + "; levels=uniform takes 1 to " +
                                  std::to_string(kHwgqSteps.size()));
    }
  }

  [[nodiscard]] std::string_view name() const noexcept override { return kHwgqName; }
  [[nodiscard]] std::size_t bits() const noexcept override { return bits_; }
  void visit_state(const std::string&, const StateVisitor&) override {}
  [[nodiscard]] bool wants_unit_input() const noexcept override { return true; }
  /// The log tail is no interval, so it is never fused.
  [[nodiscard]] bool looks_ahead() const noexcept override { return tail_ == "log-tailed"; }
  [[nodiscard]] ThresholdTable table() const override {
    ThresholdTable table = uniform_ ? uniform_levels() : pair_levels();
    table.pass_above = 0.0F;
    table.pass_up_to = tail_ == "clipped" ? largest() : std::numeric_limits<float>::infinity();
    return table;
  }
  std::vector<Tensor> backward(const Context& ctx, const ThresholdTable& used, const Tensor& x,
                               Tensor grad_output) override {
    if (tail_ != "log-tailed") return ActivationQuantizer::backward(ctx, used, x, std::move(grad_output));
    Tensor grad(x.shape());
    for (std::size_t i = 0; i < x.size(); ++i) {
      const float v = x.data()[i];
      const float slope = v > largest() ? 1.0F / (v - (largest() - 1.0F)) : (v > 0.0F ? 1.0F : 0.0F);
      grad.mutable_data()[i] = slope * grad_output.data()[i];
    }
    return {std::move(grad)};
  }
  [[nodiscard]] std::vector<double> surrogate(const SurrogatePoint& point) const override {
    if (tail_ != "log-tailed") return ActivationQuantizer::surrogate(point);
    const auto top = static_cast<double>(largest());
    std::vector<double> y;
    for (const double x : point.x) {
      y.push_back(x > top ? top + std::log(x - (top - 1.0)) : std::max(x, 0.0));
    }
    return y;
  }
  [[nodiscard]] engine::Quantize export_spec() const override {
    const ThresholdTable t = table();
    if (uniform_) return uniform_spec(t, step_);
    return {.bits = bits_,
            .encoding = engine::PlaneEncoding::Unsigned,
            .basis = engine::LearnedBasis{{kHwgqPair.begin(), kHwgqPair.end()}},
            .offset = 0.0F,
            .thresholds = t.thresholds,
            .code_of_rank = t.code_of_rank};
  }

 private:
  [[nodiscard]] float largest() const {
    return uniform_ ? step_ * static_cast<float>((1 << bits_) - 1) : kHwgqPair.back();
  }
  [[nodiscard]] ThresholdTable uniform_levels() const {
    ThresholdTable table = nearest_table(bits_, step_);
    for (std::size_t l = 0; l < table.thresholds.size(); ++l) {
      const double middle = (static_cast<double>(l) + 0.5) * static_cast<double>(step_);
      table.thresholds[l] = l == 0 ? 0.0F : static_cast<float>(middle);  // a tie takes the lower level
    }
    return table;
  }
  /// The code with both planes needs a level and a threshold: no finite value passes it.
  [[nodiscard]] static ThresholdTable pair_levels() {
    constexpr auto kNever = std::numeric_limits<float>::max();
    const auto [low, high] = kHwgqPair;
    return {.bits = kHwgqPair.size(),
            .thresholds = {0.0F, 0.5F * (low + high), kNever},
            .levels = {0.0F, low, high, low + high},
            .code_of_rank = {0, 1, 2, 3}};
  }

  std::size_t bits_;
  float step_;
  bool uniform_ = true;
  std::string tail_;
};

}  // namespace

constexpr QuantizerInfo kHwgq{.name = kHwgqName,
                              .description = "fixed levels that are best for a half-wave Gaussian",
                              .weight_bits = {},
                              .activation_bits = {1, kHwgqSteps.size()},
                              .weights = nullptr,
                              .activations = activation_maker<HwgqActivations>,
                              .weight_options = {},
                              .activation_options = kHwgqOptions};

}  // namespace bitplane::train
