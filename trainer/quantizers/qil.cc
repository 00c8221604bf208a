// SPDX-License-Identifier: Apache-2.0
#include "trainer/quantizers/qil.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <utility>

#include "trainer/quantizers/blocked_sums.h"
#include "trainer/quantizers/rows.h"
#include "trainer/quantizers/uniform.h"
#include "trainer/tensor/row_loops.h"

namespace bitplane::train {

QilInterval qil_project(QilInterval interval, double q, double d_min) noexcept {
  const double d = std::max(interval.d, d_min);
  return {.c = std::max(interval.c, d * (1.0 - 1.0 / q) + d_min), .d = d};
}

QilInterval qil_start(double q, double sigma) noexcept {
  // q/2 times the best step for the normal distribution, by the bits of q.
  constexpr std::array kKappa{0.612, 0.976, 1.237, 1.449, 1.635, 1.804, 1.960, 2.107};
  const auto bits = static_cast<std::size_t>(std::bit_width(static_cast<unsigned>(q)));
  const double half_width = kKappa[std::clamp<std::size_t>(bits, 1, kKappa.size()) - 1] * sigma;
  return {.c = half_width, .d = half_width};
}

void QilParameters::start(QilInterval interval) noexcept {
  c_.set(static_cast<float>(interval.c));
  d_.set(static_cast<float>(interval.d));
  start_.fill(d_.value());
}

void QilParameters::project() noexcept {
  if (!started()) return;
  const QilInterval projected = interval();
  c_.set(static_cast<float>(projected.c));
  d_.set(static_cast<float>(projected.d));
}

QilInterval QilParameters::interval(double sigma) const noexcept {
  if (!started()) return qil_start(q_, sigma);
  constexpr double kSmallestShare = 1e-3;
  return qil_project({.c = static_cast<double>(c_.value()), .d = static_cast<double>(d_.value())}, q_,
                     kSmallestShare * static_cast<double>(start_.data()[0]));
}

void QilParameters::visit(const std::string& prefix, const StateVisitor& visitor) {
  c_.visit(prefix + "centre", visitor);
  d_.visit(prefix + "half_width", visitor);
  visitor.buffer(prefix + "start", start_);
}

namespace {

constexpr std::string_view kQilName = "qil";
constexpr double kSmallestSigma = 1e-6;

enum class WeightScale : std::uint8_t { Unit, ClipPoint, Fixed };
constexpr std::array<std::string_view, 3> kWeightScales{"unit", "M", "fixed"};  ///< in that order
constexpr std::array kQilWeightOptions{
    OptionInfo{.name = "weight_scale",
               .help =
                   "levels of weights: unit (up to 1, the batch norm behind takes the scale), M (up to the "
                   "clip point, as printed) or fixed (as large as the weights at the start, for nets with "
                   "convolutions that no batch norm follows)",
               .kind = OptionKind::Choice,
               .choices = kWeightScales},
};

/// From where on magnitude code k + 1 begins.
std::vector<float> lower_ends(const QilInterval& interval, double q) {
  std::vector<float> ends;
  for (std::size_t j = 1; j <= static_cast<std::size_t>(q); ++j) {
    const double steps = 2.0 * static_cast<double>(j) - 1.0;
    ends.push_back(static_cast<float>(interval.c - interval.d + steps * interval.d / q));
  }
  return ends;
}

double position(double magnitude, const QilInterval& interval) {
  return (magnitude - interval.c + interval.d) / (2.0 * interval.d);
}

/// Slopes of scale(c, d) * clamp(r, 0, 1) at a magnitude.
struct QilSlopes {
  double x = 0, c = 0, d = 0;
};

QilSlopes unit_slopes(double a, const QilInterval& at) {
  if (a < at.c - at.d || a > at.c + at.d) return {};
  const double slope = 1.0 / (2.0 * at.d);
  return {.x = slope, .c = -slope, .d = (at.c - a) / (2.0 * at.d * at.d)};
}

/// The same times M = c + d - d/q: M' r + M r'.
QilSlopes clip_slopes(double a, const QilInterval& at, double q) {
  const double m = at.c + at.d - at.d / q;
  const double r = std::clamp(position(a, at), 0.0, 1.0);
  const QilSlopes unit = unit_slopes(a, at);
  return {.x = m * unit.x, .c = r + m * unit.c, .d = (1.0 - 1.0 / q) * r + m * unit.d};
}

template <class Slopes>
std::vector<Tensor> interval_gradients(Backend& backend, const Tensor& x, const Tensor& dy,
                                       const Slopes& slopes_at) {
  Tensor dx(x.shape());
  float* to = dx.mutable_data();
  const std::vector<double> sums =
      blocked_sums(backend, x.size(), 2, [&](std::size_t begin, std::size_t end, std::span<double> sum) {
        for (std::size_t i = begin; i < end; ++i) {
          const double value = static_cast<double>(x.data()[i]);
          const double g = static_cast<double>(dy.data()[i]);
          const QilSlopes slopes = slopes_at(value);
          to[i] = static_cast<float>(g * slopes.x);
          sum[0] += g * slopes.c;
          sum[1] += g * slopes.d;
        }
      });
  std::vector<Tensor> gradients;
  gradients.push_back(std::move(dx));
  gradients.push_back(scalar_tensor(sums[0]));
  gradients.push_back(scalar_tensor(sums[1]));
  return gradients;
}

std::vector<Reading> readings_of(const QilParameters& parameters, double pruned) {
  const QilInterval now = parameters.interval();
  const double edge = now.d / parameters.q();
  return {{"prune_point", now.c - now.d + edge}, {"clip_point", now.c + now.d - edge}, {"pruned", pruned}};
}

class QilWeights final : public IntegerWeightQuantizer {
 public:
  explicit QilWeights(const WeightQuantizerOptions& options)
      : IntegerWeightQuantizer(options),
        parameters_(static_cast<double>((1 << (options.bits - 1)) - 1)),
        kind_(kind_of(OptionReader(kQilWeightOptions, options.options).choice("weight_scale"))) {}

  [[nodiscard]] std::string_view name() const noexcept override { return kQilName; }
  [[nodiscard]] std::vector<Variable> trained() const override { return parameters_.trained(); }
  void visit_state(const std::string& prefix, const StateVisitor& visitor) override {
    parameters_.visit(prefix, visitor);
    if (kind_ == WeightScale::Fixed) visitor.buffer(prefix + "scale", scale_);
  }
  std::vector<Tensor> backward(const Context& ctx, const Tensor& weights, Tensor grad_output) override {
    const QilInterval now = interval_for(weights);
    const bool by_clip_point = kind_ == WeightScale::ClipPoint;
    const double q = parameters_.q(), scale = by_clip_point ? 1.0 : top(now);
    return interval_gradients(ctx.backend, weights, grad_output, [&](double w) {
      const double a = std::fabs(w), sign = w > 0 ? scale : (w < 0 ? -scale : 0.0);
      const QilSlopes slopes = by_clip_point ? clip_slopes(a, now, q) : unit_slopes(a, now);
      return QilSlopes{.x = scale * slopes.x, .c = sign * slopes.c, .d = sign * slopes.d};
    });
  }
  [[nodiscard]] std::vector<double> surrogate(const SurrogatePoint& point) const override {
    const QilInterval now{.c = point.trained[0][0], .d = point.trained[1][0]};
    std::vector<double> y;
    for (const double w : point.x) {
      y.push_back(std::copysign(top(now) * std::clamp(position(std::fabs(w), now), 0.0, 1.0), w));
    }
    return y;
  }
  [[nodiscard]] std::vector<Reading> readings() const override { return readings_of(parameters_, pruned_); }
  void constrain(Tensor&) override { parameters_.project(); }

 protected:
  void before_forward(const Context&, const Tensor& weights) override {
    const bool starts = !parameters_.started() && spread(weights) > 0;
    if (starts) parameters_.start(interval_for(weights));
    // Intervals of a net with levels of another scale come without one.
    if (kind_ == WeightScale::Fixed && parameters_.started() && (starts || !has_scale()))
      scale_.fill(static_cast<float>(start_scale(weights)));
    const QilInterval now = parameters_.interval();
    const auto lowest = static_cast<float>(now.c - now.d + now.d / parameters_.q());
    const auto zeros = std::count_if(weights.values().begin(), weights.values().end(),
                                     [&](float w) { return std::fabs(w) < lowest; });
    pruned_ = static_cast<double>(zeros) / static_cast<double>(weights.size());
  }
  [[nodiscard]] IntegerWeights integers(const Tensor& weights) const override {
    const QilInterval now = interval_for(weights);
    std::vector<std::int16_t> k = codes(weights, now);
    const bool fresh = kind_ == WeightScale::Fixed && !has_scale();
    const double largest = fresh ? start_scale(weights) : top(now);
    return {.k = std::move(k), .scale = {static_cast<float>(largest / parameters_.q())}};
  }

 private:
  static WeightScale kind_of(const std::string& choice) {
    return static_cast<WeightScale>(std::ranges::find(kWeightScales, choice) - kWeightScales.begin());
  }
  /// The largest level.
  [[nodiscard]] double top(const QilInterval& now) const {
    if (kind_ == WeightScale::ClipPoint) return now.c + now.d - now.d / parameters_.q();
    return has_scale() ? static_cast<double>(scale_.data()[0]) : 1.0;
  }
  [[nodiscard]] bool has_scale() const noexcept { return scale_.data()[0] > 0.0F; }
  [[nodiscard]] std::vector<std::int16_t> codes(const Tensor& weights, const QilInterval& now) const {
    std::vector<std::int16_t> found(weights.size());
    const std::vector<float> ends = lower_ends(now, parameters_.q());
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const float w = weights.data()[i];
      const auto k = std::upper_bound(ends.begin(), ends.end(), std::fabs(w)) - ends.begin();
      found[i] = static_cast<std::int16_t>(w < 0.0F ? -k : k);
    }
    return found;
  }
  /// Of the largest level, so that the levels' mean square is the weights'.
  [[nodiscard]] double start_scale(const Tensor& weights) const {
    double square = 0, levels = 0;
    const std::vector<std::int16_t> k = codes(weights, interval_for(weights));
    for (std::size_t i = 0; i < weights.size(); ++i) {
      square += static_cast<double>(weights.data()[i]) * static_cast<double>(weights.data()[i]);
      levels += static_cast<double>(k[i]) * static_cast<double>(k[i]);
    }
    return levels > 0 ? std::sqrt(square / levels) * parameters_.q() : 1.0;
  }
  [[nodiscard]] QilInterval interval_for(const Tensor& weights) const {
    if (parameters_.started()) return parameters_.interval();
    return parameters_.interval(std::max(kSmallestSigma, spread(weights)));
  }
  /// The deviation. Of weights that are all equal their magnitude, as no weight could leave the top level of
  /// an interval of width 0, with slopes 0.
  static double spread(const Tensor& weights) {
    double sum = 0, square = 0;
    for (const float w : weights.values()) {
      sum += static_cast<double>(w);
      square += static_cast<double>(w) * static_cast<double>(w);
    }
    const auto count = static_cast<double>(weights.size());
    const double variance = square / count - sum / count * sum / count;
    constexpr double kEqual = 1e-12;  // of the mean square: rounding leaves less
    return std::sqrt(variance > kEqual * square / count ? variance : square / count);
  }

  QilParameters parameters_;
  WeightScale kind_;
  Tensor scale_ = Tensor::zeros({1});  ///< of fixed; 0: not yet
  double pruned_ = 0;                  ///< share of zero codes in the last training forward
};

class QilActivations final : public ActivationQuantizer {
 public:
  explicit QilActivations(const ActivationQuantizerOptions& options)
      : bits_(options.bits), parameters_(static_cast<double>((1 << options.bits) - 1)) {}

  [[nodiscard]] std::string_view name() const noexcept override { return kQilName; }
  [[nodiscard]] std::size_t bits() const noexcept override { return bits_; }
  [[nodiscard]] std::vector<Variable> trained() const override { return parameters_.trained(); }
  void visit_state(const std::string& prefix, const StateVisitor& visitor) override {
    parameters_.visit(prefix, visitor);
  }
  [[nodiscard]] bool looks_ahead() const noexcept override { return true; }
  void constrain() override { parameters_.project(); }
  void before_batch(const Context& ctx, const Tensor& x) override {
    if (parameters_.started()) return;
    const std::vector<double> sums = blocked_sums(
        ctx.backend, x.size(), 1, [&](std::size_t begin, std::size_t end, std::span<double> sum) {
          for (std::size_t i = begin; i < end; ++i) {
            sum[0] += static_cast<double>(x.data()[i]) * static_cast<double>(x.data()[i]);
          }
        });
    if (sums[0] == 0.0) return;  // a layer that is dead in its first batch starts with one in which it lives
    const double sigma = std::sqrt(2.0 * sums[0] / static_cast<double>(x.size()));
    parameters_.start(parameters_.interval(std::max(kSmallestSigma, sigma)));
  }
  [[nodiscard]] bool wants_statistics() const noexcept override { return true; }
  void after_batch(const RankStatistics& statistics) override {
    std::uint64_t all = 0;
    for (const std::uint64_t count : statistics.count) all += count;
    pruned_ = all == 0 ? 0.0 : static_cast<double>(statistics.count[0]) / static_cast<double>(all);
  }
  [[nodiscard]] ThresholdTable table() const override {
    const std::vector<float> ends = lower_ends(parameters_.interval(), parameters_.q());
    return uniform_table(bits_, scale(), [&](std::size_t k) { return static_cast<double>(ends[k - 1]); });
  }
  std::vector<Tensor> backward(const Context& ctx, const ThresholdTable&, const Tensor& x,
                               Tensor grad_output) override {
    const auto [c, d] = parameters_.interval();
    TrainedGradients found =
        trained_gradients(ctx.backend,
                          {.pass = {just_below(static_cast<float>(c - d)), static_cast<float>(c + d)},
                           .slope = static_cast<float>(1.0 / (2.0 * d)),
                           .factor = -1.0F,
                           .shift = static_cast<float>(c)},
                          x, std::move(grad_output));
    std::vector<Tensor> gradients;
    gradients.push_back(std::move(found.dx));
    gradients.push_back(scalar_tensor(-found.passed / (2.0 * d)));
    gradients.push_back(scalar_tensor(found.trained / (2.0 * d * d)));
    return gradients;
  }
  [[nodiscard]] std::vector<double> surrogate(const SurrogatePoint& point) const override {
    const QilInterval now{.c = point.trained[0][0], .d = point.trained[1][0]};
    std::vector<double> y;
    for (const double x : point.x) y.push_back(std::clamp(position(x, now), 0.0, 1.0));
    return y;
  }
  [[nodiscard]] engine::Quantize export_spec() const override { return uniform_spec(table(), scale()); }
  [[nodiscard]] std::vector<Reading> readings() const override { return readings_of(parameters_, pruned_); }

 private:
  [[nodiscard]] float scale() const { return static_cast<float>(1.0 / parameters_.q()); }

  std::size_t bits_;
  QilParameters parameters_;
  double pruned_ = 0;  ///< share of zero codes in the last batch
};

}  // namespace

constexpr QuantizerInfo kQil{.name = kQilName,
                             .description = "uniform levels in a trained interval of magnitudes, per layer",
                             .weight_bits = {2, 8},
                             .activation_bits = {1, 8},
                             .weights = weight_maker<QilWeights>,
                             .activations = activation_maker<QilActivations>,
                             .weight_options = kQilWeightOptions,
                             .activation_options = {}};

}  // namespace bitplane::train
