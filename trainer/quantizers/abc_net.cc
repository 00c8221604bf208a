// SPDX-License-Identifier: Apache-2.0
//
// ABC-Net (Lin, Zhao, Pan, "Towards accurate binary convolutional neural network", NIPS 2017): sums of binary
// bases.
//
// Weights, n bits, per layer:
//   B_i       sign(w - mean(W) + u_i std(W)), sign(0) = +1, u_i = -1 + 2 (i - 1) / (n - 1); u = 0 for n = 1
//   forward   sum a_i B_i, a = argmin |W - sum a_i B_i|^2
//   backward  straight through each basis: dw' / dw = sum a_i, a held
//   rate      sqrt(fan_in / 2) times the run's, 1 / He's deviation: sum a_i is about the weights' deviation
//
// Activations, n bits, per layer, with trained b_j and v_j:
//   A_j       +1 where clamp(x + v_j, 0, 1) >= 1/2, else -1
//   forward   sum b_j A_j
//   backward  dA_j / dx = dA_j / dv_j = 1 for 0 < x + v_j < 1, else 0
//   start     thresholds 1/2 - v_j evenly over (-1, 1), b_j = 1 / n
//
// n + 1 of the 2^n codes occur; the others stand behind thresholds that no float passes.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <Eigen/QR>

#include "trainer/quantizers/blocked_sums.h"
#include "trainer/quantizers/rows.h"
#include "trainer/quantizers/trained_scalar.h"
#include "trainer/quantizers/uniform.h"

namespace bitplane::train {
namespace {

constexpr std::string_view kAbcNetName = "abc-net";

class AbcWeights final : public WeightQuantizer {
 public:
  explicit AbcWeights(const WeightQuantizerOptions& options) : layer_(options) {}

  [[nodiscard]] std::string_view name() const noexcept override { return kAbcNetName; }
  [[nodiscard]] std::size_t bits() const noexcept override { return layer_.bits; }
  void visit_state(const std::string&, const StateVisitor&) override {}
  /// 91.0 % with 17 against 87.7 with 1, on cnn-small (Fashion-MNIST, 3/3, 6 epochs, lr 0.1, one seed).
  [[nodiscard]] float learning_rate_factor() const noexcept override {
    return std::sqrt(static_cast<float>(layer_.filter_size) / 2.0F);
  }

  Tensor forward(const Context&, const Tensor& weights) override {
    const Bases bases = bases_of(weights);
    Tensor out(weights.shape());
    for (std::size_t i = 0; i < weights.size(); ++i) {
      // As exported planes are summed: plane by plane, in float.
      float sum = 0.0F;
      for (std::size_t n = 0; n < bits(); ++n)
        sum += ((bases.codes[i] >> n) & 1U) != 0 ? bases.share[n] : -bases.share[n];
      out.mutable_data()[i] = sum;
    }
    return out;
  }
  std::vector<Tensor> backward(const Context&, const Tensor& weights, Tensor grad_output) override {
    const auto slope = static_cast<float>(slope_of(bases_of(weights)));
    Tensor grad(weights.shape());
    for (std::size_t i = 0; i < weights.size(); ++i) grad.mutable_data()[i] = slope * grad_output.data()[i];
    return {std::move(grad)};
  }
  [[nodiscard]] std::vector<double> surrogate(const SurrogatePoint& point) const override {
    const double slope = slope_of(bases_of(point.at));
    std::vector<double> y;
    for (const double x : point.x) y.push_back(slope * x);
    return y;
  }
  [[nodiscard]] WeightExport export_weights(const Tensor& weights) const override {
    Bases bases = bases_of(weights);
    engine::LearnedBasis basis;
    for (const float share : bases.share) basis.values.insert(basis.values.end(), layer_.out_channels, share);
    return {.planes = bits(),
            .out_channels = layer_.out_channels,
            .k = layer_.filter_size,
            .encoding = engine::PlaneEncoding::Bipolar,
            .basis = std::move(basis),
            .offset = {},
            .codes = std::move(bases.codes)};
  }

 private:
  struct Bases {
    std::vector<std::uint16_t> codes;  ///< [out * filter], bit i: B_i is +1
    std::vector<float> share;          ///< [bits]: a
  };

  static double slope_of(const Bases& bases) {
    double sum = 0;
    for (const float a : bases.share) sum += static_cast<double>(a);
    return sum;
  }
  /// u_i std - mean
  [[nodiscard]] std::vector<double> shifts(const Tensor& weights) const {
    const auto n = static_cast<double>(weights.size());
    double sum = 0, square = 0;
    for (const float w : weights.values()) sum += static_cast<double>(w);
    const double mean = sum / n;  // of equal weights exactly their value: they are at sign(0)
    for (const float w : weights.values()) {
      const double d = static_cast<double>(w) - mean;
      square += d * d / n;
    }
    std::vector<double> found;
    for (std::size_t i = 0; i < bits(); ++i) {
      const double u =
          bits() == 1 ? 0.0 : -1.0 + 2.0 * static_cast<double>(i) / static_cast<double>(bits() - 1);
      found.push_back(u * std::sqrt(square) - mean);
    }
    return found;
  }
  [[nodiscard]] Bases bases_of(const Tensor& weights) const {
    check(weights);
    const std::vector<double> shift = shifts(weights);
    const std::size_t patterns = std::size_t{1} << bits();
    Bases bases{.codes = std::vector<std::uint16_t>(weights.size(), 0), .share = {}};
    std::vector<double> members(patterns, 0.0), sums(patterns, 0.0);
    for (std::size_t e = 0; e < weights.size(); ++e) {
      const auto w = static_cast<double>(weights.data()[e]);
      unsigned code = 0;
      for (std::size_t i = 0; i < bits(); ++i) code |= w + shift[i] >= 0 ? 1U << i : 0U;
      bases.codes[e] = static_cast<std::uint16_t>(code);
      members[code] += 1.0;
      sums[code] += w;
    }
    const auto count = static_cast<Eigen::Index>(bits());
    Eigen::MatrixXd gram = Eigen::MatrixXd::Zero(count, count);
    Eigen::VectorXd products = Eigen::VectorXd::Zero(count), signs(count);
    for (std::size_t code = 0; code < patterns; ++code) {
      for (Eigen::Index i = 0; i < count; ++i) signs[i] = ((code >> i) & 1U) != 0 ? 1.0 : -1.0;
      gram += members[code] * signs * signs.transpose();
      products += sums[code] * signs;
    }
    // Equal bases (a constant layer) share their part: the solution of least norm.
    const Eigen::VectorXd a = gram.completeOrthogonalDecomposition().solve(products);
    for (Eigen::Index i = 0; i < count; ++i) bases.share.push_back(static_cast<float>(a[i]));
    return bases;
  }
  void check(const Tensor& weights) const {
    if (weights.shape().front() == layer_.out_channels &&
        weights.size() == layer_.out_channels * layer_.filter_size)
      return;
    throw std::invalid_argument("ABC-Net for " + std::to_string(layer_.out_channels) + " filters of " +
                                std::to_string(layer_.filter_size) + " elements got weights " +
                                weights.shape().str());
  }

  WeightQuantizerOptions layer_;
};

class AbcActivations final : public ActivationQuantizer {
 public:
  explicit AbcActivations(const ActivationQuantizerOptions& options) : bits_(options.bits) {
    Tensor share({bits_}), shift({bits_});
    for (std::size_t j = 0; j < bits_; ++j) {
      const double threshold = -1.0 + 2.0 * static_cast<double>(j + 1) / static_cast<double>(bits_ + 1);
      shift.mutable_data()[j] = static_cast<float>(kHalf - threshold);
      share.mutable_data()[j] = 1.0F / static_cast<float>(bits_);
    }
    share_ = parameter(std::move(share));
    shift_ = parameter(std::move(shift));
  }

  [[nodiscard]] std::string_view name() const noexcept override { return kAbcNetName; }
  [[nodiscard]] std::size_t bits() const noexcept override { return bits_; }
  [[nodiscard]] bool reads_signs() const noexcept override { return true; }
  [[nodiscard]] std::vector<Variable> trained() const override { return {share_.variable, shift_.variable}; }
  void visit_state(const std::string& prefix, const StateVisitor& visitor) override {
    visitor.parameter(prefix + "share", share_);
    visitor.parameter(prefix + "shift", shift_);
  }

  [[nodiscard]] ThresholdTable table() const override {
    constexpr float kNever = std::numeric_limits<float>::max();
    const std::size_t ranks = std::size_t{1} << bits_;
    ThresholdTable table;
    table.bits = bits_;
    table.thresholds.assign(ranks - 1, kNever);
    std::vector<bool> used(ranks, false);
    unsigned code = 0;
    const auto add = [&](unsigned next) {
      table.code_of_rank.push_back(static_cast<std::uint8_t>(next));
      table.levels.push_back(level_of_code(next));
      used[next] = true;
    };
    add(code);
    for (const std::size_t j : ascending()) {
      table.thresholds[table.levels.size() - 1] = just_below(threshold(j));
      code |= 1U << j;
      add(code);
    }
    for (unsigned next = 0; next < ranks; ++next) {
      if (!used[next]) add(next);
    }
    return table;
  }
  std::vector<Tensor> backward(const Context& ctx, const ThresholdTable&, const Tensor& x,
                               Tensor grad_output) override {
    Tensor grad(x.shape());
    const float* dy = grad_output.data();
    const std::vector<double> sums = blocked_sums(
        ctx.backend, x.size(), 2 * bits_, [&](std::size_t begin, std::size_t end, std::span<double> block) {
          for (std::size_t i = begin; i < end; ++i) {
            const auto g = static_cast<double>(dy[i]);
            double slope = 0;
            for (std::size_t j = 0; j < bits_; ++j) {
              block[j] += passes(j, x.data()[i]) ? g : -g;
              if (!moves(j, x.data()[i])) continue;
              slope += share(j);
              block[bits_ + j] += g * share(j);
            }
            grad.mutable_data()[i] = static_cast<float>(g * slope);
          }
        });
    Tensor grad_share({bits_}), grad_shift({bits_});
    for (std::size_t j = 0; j < bits_; ++j) {
      grad_share.mutable_data()[j] = static_cast<float>(sums[j]);
      grad_shift.mutable_data()[j] = static_cast<float>(sums[bits_ + j]);
    }
    return {std::move(grad), std::move(grad_share), std::move(grad_shift)};
  }
  [[nodiscard]] std::vector<double> surrogate(const SurrogatePoint& point) const override {
    std::vector<double> y(point.x.size(), 0.0);
    for (std::size_t i = 0; i < y.size(); ++i) {
      for (std::size_t j = 0; j < bits_; ++j) {
        y[i] += passes(j, point.at.data()[i]) ? point.trained[0][j] : -point.trained[0][j];
        y[i] += share(j) * std::clamp(point.x[i] + point.trained[1][j], 0.0, 1.0);
      }
    }
    return y;
  }
  [[nodiscard]] std::vector<Reading> readings() const override {
    std::vector<Reading> all = numbered_readings("share", share_.variable.value().values());
    for (Reading& shift : numbered_readings("shift", shift_.variable.value().values())) {
      all.push_back(std::move(shift));
    }
    return all;
  }
  [[nodiscard]] engine::Quantize export_spec() const override {
    const ThresholdTable t = table();
    const std::span<const float> shares = share_.variable.value().values();
    return {.bits = bits_,
            .encoding = engine::PlaneEncoding::Bipolar,
            .basis = engine::LearnedBasis{{shares.begin(), shares.end()}},
            .offset = 0.0F,
            .thresholds = t.thresholds,
            .code_of_rank = t.code_of_rank};
  }

 private:
  static constexpr double kHalf = 0.5;

  static Parameter parameter(Tensor start) {
    return {.variable = Variable(std::move(start), Gradient::Required),
            .role = ParameterRole::Quantizer,
            .init = {.rule = InitRule::AsMade}};
  }
  [[nodiscard]] double share(std::size_t j) const {
    return static_cast<double>(share_.variable.value().data()[j]);
  }
  [[nodiscard]] double shift(std::size_t j) const {
    return static_cast<double>(shift_.variable.value().data()[j]);
  }
  [[nodiscard]] float threshold(std::size_t j) const { return static_cast<float>(kHalf - shift(j)); }
  [[nodiscard]] bool passes(std::size_t j, float x) const { return x >= threshold(j); }
  [[nodiscard]] bool moves(std::size_t j, float x) const {
    const double shifted = static_cast<double>(x) + shift(j);
    return shifted > 0 && shifted < 1;
  }
  /// Planes by their threshold, the lowest first.
  [[nodiscard]] std::vector<std::size_t> ascending() const {
    std::vector<std::size_t> order(bits_);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return threshold(a) < threshold(b); });
    return order;
  }
  [[nodiscard]] float level_of_code(unsigned code) const {
    float level = 0.0F;
    for (std::size_t j = 0; j < bits_; ++j) {
      const float value = share_.variable.value().data()[j];
      level += ((code >> j) & 1U) != 0 ? value : -value;
    }
    return level;
  }

  std::size_t bits_;
  Parameter share_, shift_;
};

}  // namespace

constexpr QuantizerInfo kAbcNet{.name = kAbcNetName,
                                .description = "sums of binary bases, per layer",
                                .weight_bits = {1, 8},
                                .activation_bits = {1, 8},
                                .weights = weight_maker<AbcWeights>,
                                .activations = activation_maker<AbcActivations>,
                                .weight_options = {},
                                .activation_options = {}};

}  // namespace bitplane::train
