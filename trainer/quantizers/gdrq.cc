// SPDX-License-Identifier: Apache-2.0
#include "trainer/quantizers/gdrq.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>
#include <vector>

#include "trainer/quantizers/rows.h"

namespace bitplane::train {

std::int16_t gdrq_code(double w, double alpha, double q) noexcept {
  if (!(alpha > 0)) return 0;
  const auto k = static_cast<std::int16_t>(std::min(std::fabs(w), alpha) / (alpha / q) + 0.5);
  return static_cast<std::int16_t>(w < 0 ? -k : k);
}

double gdrq_loss(std::span<const float> w, double alpha, double q) {
  double error = 0, sum = 0;
  for (const float v : w) {
    const auto x = static_cast<double>(v);
    error += std::fabs(x - static_cast<double>(gdrq_code(x, alpha, q)) * (alpha / q));
    sum += std::fabs(x);
  }
  return sum > 0 ? error / sum : 0.0;
}

double gdrq_search(std::span<const float> w, double q) {
  constexpr int kGrid = 200, kSections = 40;
  constexpr double kGolden = 0.61803398874989485;
  double largest = 0;
  for (const float v : w) largest = std::max(largest, std::fabs(static_cast<double>(v)));
  if (largest == 0) return 0;
  const double cell = largest / kGrid;
  double best = largest, least = gdrq_loss(w, largest, q);
  const auto consider = [&](double alpha) {
    const double loss = gdrq_loss(w, alpha, q);
    if (loss < least) {
      least = loss;
      best = alpha;
    }
    return loss;
  };
  for (int i = 1; i < kGrid; ++i) consider(cell * i);
  double low = std::max(best - cell, cell * 1e-3), high = std::min(best + cell, largest);
  for (int i = 0; i < kSections; ++i) {
    const double width = kGolden * (high - low);
    const double left = high - width, right = low + width;
    if (consider(left) < consider(right)) {
      high = right;
    } else {
      low = left;
    }
  }
  return best;
}

double gdrq_reshape(std::span<float> group, double k_w) noexcept {
  const double bound = k_w * mean_magnitude(group);
  const auto limit = static_cast<float>(bound);
  for (float& w : group) w = std::clamp(w, -limit, limit);
  return bound;
}

namespace {

constexpr std::string_view kGdrqName = "gdrq";

constexpr std::array<std::string_view, 2> kAlphas{"clip", "search"};
constexpr std::array<std::string_view, 2> kReshapes{"none", "project"};
constexpr std::array<std::string_view, 2> kSlopes{"pass", "masked"};
constexpr std::array kGdrqWeightOptions{
    OptionInfo{.name = "group_size",
               .help = "filters that share a scale: 1, 4, 16, ...; -1: all of the layer",
               .default_value = 1,
               .min = -1,
               .max = 65536,
               .instead_of_zero = "give the filters of a group (1, 4, 16), or -1 for the whole layer"},
    OptionInfo{.name = "alpha",
               .help = "clip point of a group: clip (k_w times its mean magnitude) or search (least error)",
               .kind = OptionKind::Choice,
               .choices = kAlphas},
    OptionInfo{.name = "k_w",
               .help = "clip point of weights in mean magnitudes",
               .kind = OptionKind::Real,
               .default_value = 2,
               .min = 1,
               .max = 1000},
    OptionInfo{.name = "reshape",
               .help = "project: weights are clipped to k_w mean magnitudes after each step",
               .kind = OptionKind::Choice,
               .choices = kReshapes},
    OptionInfo{.name = "weight_slope",
               .help = "gradient of weights beyond the clip point: pass, or masked (0)",
               .kind = OptionKind::Choice,
               .choices = kSlopes},
    OptionInfo{.name = "search_every",
               .help = "steps between searches of alpha; 0: an epoch",
               .default_value = 0,
               .min = 0,
               .max = 1e9},
};
constexpr std::array kGdrqActivationOptions{
    OptionInfo{.name = "k_a",
               .help = "clip point of activations in means",
               .kind = OptionKind::Real,
               .default_value = 4,
               .min = 1,
               .max = 1000},
    OptionInfo{.name = "eta",
               .help = "share of a batch in the running clip point of activations",
               .kind = OptionKind::Real,
               .default_value = 0.01,
               .min = 1e-6,
               .max = 1},
};

/// Filters of a group.
std::size_t group_filters(const WeightQuantizerOptions& layer) {
  const double size = OptionReader(kGdrqWeightOptions, layer.options).real("group_size");
  return size < 0 ? layer.out_channels : static_cast<std::size_t>(size);
}

class GdrqWeights final : public IntegerWeightQuantizer {
 public:
  explicit GdrqWeights(const WeightQuantizerOptions& options) : IntegerWeightQuantizer(options) {
    const OptionReader read(kGdrqWeightOptions, options.options);
    filters_ = group_filters(options);
    searches_ = read.choice("alpha") == "search";
    reshapes_ = read.choice("reshape") == "project";
    masks_ = read.choice("weight_slope") == "masked";
    k_w_ = read.real("k_w");
    search_every_ = read.count("search_every");
    alpha_ = Tensor::zeros({groups()});
  }

  [[nodiscard]] std::string_view name() const noexcept override { return kGdrqName; }
  void visit_state(const std::string& prefix, const StateVisitor& visitor) override {
    if (!searches_) return;
    visitor.buffer(prefix + "alpha", alpha_);
    visitor.buffer(prefix + "age", age_);
  }
  void constrain(Tensor& weights) override {
    if (!reshapes_) return;
    for (std::size_t g = 0; g < groups(); ++g) {
      const std::span<const float> group = group_of(weights, g);
      const auto first = static_cast<std::size_t>(group.data() - weights.data());
      gdrq_reshape(weights.mutable_values().subspan(first, group.size()), k_w_);
    }
  }
  std::vector<Tensor> backward(const Context&, const Tensor& weights, Tensor grad_output) override {
    if (!masks_) return {std::move(grad_output)};
    Tensor grad(weights.shape());
    for (std::size_t g = 0; g < groups(); ++g) {
      const double bound = clip_point(weights, g);
      const std::span<const float> group = group_of(weights, g);
      const auto first = static_cast<std::size_t>(group.data() - weights.data());
      for (std::size_t i = 0; i < group.size(); ++i) {
        const bool inside = std::fabs(static_cast<double>(group[i])) <= bound;
        grad.mutable_data()[first + i] = inside ? grad_output.data()[first + i] : 0.0F;
      }
    }
    return {std::move(grad)};
  }
  [[nodiscard]] std::vector<double> surrogate(const SurrogatePoint& point) const override {
    std::vector<double> y(point.x.begin(), point.x.end());
    const std::size_t per_group = filters_ * layer().filter_size;
    for (std::size_t i = 0; masks_ && i < y.size(); ++i) {
      const double bound = clip_point(point.at, i / per_group);
      y[i] = std::clamp(y[i], -bound, bound);
    }
    return y;
  }

 protected:
  [[nodiscard]] IntegerCodes codes() const noexcept override {
    return bits() == 1 ? IntegerCodes::Odd : IntegerCodes::TwosComplement;
  }
  void before_forward(const Context& ctx, const Tensor& weights) override {
    if (!searches_ || bits() == 1) return;
    const std::uint64_t every = search_every_ != 0 ? search_every_ : ctx.steps_per_epoch;
    float& age = *age_.mutable_data();
    if (age == 0.0F || (every != 0 && age >= static_cast<float>(every))) {
      for (std::size_t g = 0; g < groups(); ++g) {
        alpha_.mutable_data()[g] = static_cast<float>(gdrq_search(group_of(weights, g), levels()));
      }
      age = 0.0F;
    }
    age += 1.0F;
  }
  [[nodiscard]] IntegerWeights integers(const Tensor& weights) const override {
    IntegerWeights found{.k = std::vector<std::int16_t>(weights.size()), .scale = {}};
    std::size_t i = 0;
    for (std::size_t g = 0; g < groups(); ++g) {
      const std::span<const float> group = group_of(weights, g);
      const double alpha = bits() == 1 ? mean_magnitude(group) : clip_point(weights, g);
      const auto scale = static_cast<float>(alpha / levels());
      const std::size_t channels = groups() == 1 ? 1 : group.size() / layer().filter_size;
      found.scale.insert(found.scale.end(), channels, scale);
      for (const float w : group) {
        const auto sign = static_cast<std::int16_t>(w >= 0.0F ? 1 : -1);
        found.k[i++] = bits() == 1 ? sign : gdrq_code(static_cast<double>(w), alpha, levels());
      }
    }
    return found;
  }

 private:
  [[nodiscard]] double levels() const noexcept {
    return bits() == 1 ? 1.0 : static_cast<double>((1 << (bits() - 1)) - 1);
  }
  [[nodiscard]] std::size_t groups() const noexcept {
    return (layer().out_channels + filters_ - 1) / filters_;
  }
  [[nodiscard]] std::span<const float> group_of(const Tensor& weights, std::size_t group) const {
    const std::size_t per_group = filters_ * layer().filter_size, first = group * per_group;
    return weights.values().subspan(first, std::min(per_group, weights.size() - first));
  }
  /// alpha of a group; found afresh where a search has not come yet.
  [[nodiscard]] double clip_point(const Tensor& weights, std::size_t group) const {
    if (!searches_ || bits() == 1) return k_w_ * mean_magnitude(group_of(weights, group));
    if (age_.data()[0] == 0.0F) return gdrq_search(group_of(weights, group), levels());
    return static_cast<double>(alpha_.data()[group]);
  }

  std::size_t filters_ = 1;  ///< of a group
  bool searches_ = false, reshapes_ = false, masks_ = false;
  double k_w_ = 2;
  std::uint64_t search_every_ = 0;   ///< steps; 0: an epoch
  Tensor alpha_;                     ///< [groups], found by search
  Tensor age_ = Tensor::zeros({1});  ///< steps since the search; 0: none yet
};

/// Float weights that are reshaped after each step.
class ReshapedWeights final : public WeightQuantizer {
 public:
  explicit ReshapedWeights(const WeightQuantizerOptions& layer)
      : per_group_(group_filters(layer) * layer.filter_size),
        k_w_(OptionReader(kGdrqWeightOptions, layer.options).real("k_w")) {}

  [[nodiscard]] std::string_view name() const noexcept override { return kGdrqName; }
  [[nodiscard]] std::size_t bits() const noexcept override { return kFloat; }
  [[nodiscard]] bool keeps_floats() const noexcept override { return true; }
  void visit_state(const std::string&, const StateVisitor&) override {}
  Tensor forward(const Context&, const Tensor& weights) override { return weights; }
  void constrain(Tensor& weights) override {
    const std::span<float> all = weights.mutable_values();
    for (std::size_t first = 0; first < all.size(); first += per_group_)
      gdrq_reshape(all.subspan(first, std::min(per_group_, all.size() - first)), k_w_);
  }
  [[nodiscard]] WeightExport export_weights(const Tensor&) const override {
    throw std::logic_error("float weights have no planes");
  }

 private:
  static constexpr std::size_t kFloat = 32;
  std::size_t per_group_;
  double k_w_;
};

std::unique_ptr<WeightQuantizer> make_reshaped(const WeightQuantizerOptions& layer) {
  if (OptionReader(kGdrqWeightOptions, layer.options).choice("reshape") != "project") return nullptr;
  return std::make_unique<ReshapedWeights>(layer);
}

class GdrqActivations final : public ActivationQuantizer {
 public:
  explicit GdrqActivations(const ActivationQuantizerOptions& options) : bits_(options.bits) {
    const OptionReader read(kGdrqActivationOptions, options.options);
    k_a_ = read.real("k_a");
    eta_ = read.real("eta");
  }

  [[nodiscard]] std::string_view name() const noexcept override { return kGdrqName; }
  [[nodiscard]] std::size_t bits() const noexcept override { return bits_; }
  void visit_state(const std::string& prefix, const StateVisitor& visitor) override {
    visitor.buffer(prefix + "clip_point", clip_point_);
    visitor.buffer(prefix + "started", started_);
  }
  [[nodiscard]] bool looks_ahead() const noexcept override { return true; }
  void before_batch(const Context& ctx, const Tensor& x) override {
    const double wanted = k_a_ * mean_of_magnitudes(ctx.backend, x);
    const auto now = static_cast<double>(clip_point_.data()[0]);
    const bool first = now == 0.0;  // a layer that was dead so far starts with the batch in which it lives
    clip_point_.fill(static_cast<float>(first ? wanted : (1.0 - eta_) * now + eta_ * wanted));
    started_.fill(1.0F);
  }
  [[nodiscard]] ThresholdTable table() const override {
    ThresholdTable table = nearest_table(bits_, scale());
    table.pass_above = 0.0F;
    table.pass_up_to = just_below(largest());
    if (largest() == 0.0F) std::ranges::fill(table.thresholds, std::numeric_limits<float>::max());
    return table;
  }
  [[nodiscard]] engine::Quantize export_spec() const override { return uniform_spec(table(), scale()); }
  [[nodiscard]] std::vector<Reading> readings() const override {
    return {{"clip_point", static_cast<double>(largest())}};
  }

 private:
  /// 1 where no batch was seen (a net of no epochs), 0 of a layer that was dead in every batch so far: all
  /// codes are 0.
  [[nodiscard]] float largest() const { return started_.data()[0] == 0.0F ? 1.0F : clip_point_.data()[0]; }
  [[nodiscard]] float scale() const { return largest() / static_cast<float>((1 << bits_) - 1); }

  std::size_t bits_;
  double k_a_ = 4, eta_ = 0.01;
  Tensor clip_point_ = Tensor::zeros({1}), started_ = Tensor::zeros({1});
};

}  // namespace

constexpr QuantizerInfo kGdrq{
    .name = kGdrqName,
    .description = "uniform levels up to a multiple of the mean, per group of filters and per layer",
    .weight_bits = {1, 8},
    .activation_bits = {1, 8},
    .weights = weight_maker<GdrqWeights>,
    .activations = activation_maker<GdrqActivations>,
    .weight_options = kGdrqWeightOptions,
    .activation_options = kGdrqActivationOptions,
    .float_weights = make_reshaped};

}  // namespace bitplane::train
