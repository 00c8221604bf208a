// SPDX-License-Identifier: Apache-2.0
//
// TSQ's transformation function learning: for one output channel, the ternary t, alpha >= 0 and b with which
// Q(alpha X^T t + b) comes near the target codes y, X being the input codes of N receptive fields.
//
//   F(z, alpha, t, b) = |y - Q~(z)|^2 + lambda |z - v|^2,  v = alpha X^T t + b,  Q~ = clamp to [0, M]
//   (A) z fixed       alpha, t, b: coordinate ascent of (g't)^2 / (t'G t), g = X z, G = X X', all centred
//                     where there is an intercept
//   (B) the rest fixed  z, exactly, number by number
//
// A stage has one lambda and opens with (B), then alternates (A), (B) until F hardly falls. No step raises F.
// X is kept as integer codes and G, t'G t, X^T t are sums of integers, exact in any order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "trainer/quantizers/tsq.h"
#include "trainer/tensor/backend.h"

namespace bitplane::train {

enum class Intercept : std::uint8_t { None, Learned };

/// What all channels of a layer share: X and G.
class TflInputs {
 public:
  /// codes: [m][samples], each below 2^bits.
  TflInputs(Backend& backend, std::vector<std::uint8_t> codes, std::size_t m, std::size_t bits,
            Intercept intercept);

  [[nodiscard]] std::size_t m() const noexcept { return m_; }
  [[nodiscard]] std::size_t samples() const noexcept { return samples_; }
  [[nodiscard]] Intercept intercept() const noexcept { return intercept_; }
  [[nodiscard]] std::span<const std::uint8_t> row(std::size_t j) const {
    return std::span(codes_).subspan(j * samples_, samples_);
  }
  [[nodiscard]] double row_sum(std::size_t j) const { return row_sums_[j]; }
  /// Row j of gram_scale() * G. Whole numbers.
  [[nodiscard]] std::span<const double> gram(std::size_t j) const {
    return std::span(gram_).subspan(j * m_, m_);
  }
  /// 1, or N where X is centred.
  [[nodiscard]] double gram_scale() const noexcept { return gram_scale_; }
  [[nodiscard]] double gram_trace() const noexcept { return trace_; }
  /// g[j] = sum over n of X[j][n] z[n]. Sums of 8 samples are looked up by their bits, plane by plane.
  void multiply(std::span<const double> z, std::span<double> g) const;

 private:
  void pack();
  void make_gram(Backend& backend);
  std::vector<std::uint8_t> codes_;   ///< [m][samples]
  std::vector<std::uint8_t> packed_;  ///< [samples / 8][plane][m]: one bit per sample
  std::vector<double> row_sums_, gram_;
  std::size_t m_, samples_, bits_;
  Intercept intercept_;
  double gram_scale_ = 1, trace_ = 0;
};

/// What the channel's output goes through: SQ, a ReLU (M is infinite), or nothing.
enum class TflOutput : std::uint8_t { Codes, Relu, Linear };

struct TflLambda {
  double lambda;
  std::size_t alternations;  ///< at most
};

struct TflProblem {
  const TflInputs& inputs;
  TflOutput output = TflOutput::Codes;
  const ThresholdTable* table = nullptr;  ///< of the output's codes
  double delta = 1;                       ///< value of code 1, of inputs and outputs
  std::span<const TflLambda> lambdas = {};
};

struct TflSolution {
  std::vector<std::int8_t> t;
  double alpha = 0, b = 0;
};

struct TflResult {
  TflSolution solution = {};
  double start_error = 0, end_error = 0;  ///< |y - Q(v)|^2 before and after; the better one is kept
};

/// F after the opening and after each (A) and (B), one list per lambda.
using TflTrace = std::vector<std::vector<double>>;

class TflSolver {
 public:
  explicit TflSolver(const TflProblem& problem);
  /// y: [samples], values. Starts from `start` (its b only with an intercept).
  [[nodiscard]] TflResult solve(std::span<const double> y, const TflSolution& start,
                                TflTrace* trace = nullptr);
  /// alpha and b that fit y best with these t, of a random start; t is negated where alpha would be.
  [[nodiscard]] TflSolution fit(std::span<const double> y, std::vector<std::int8_t> t);

 private:
  void take(const TflSolution& solution);
  void find_z(std::span<const double> y, double lambda);
  void find_weights();
  void sweep();
  [[nodiscard]] bool improve(std::size_t j);
  void move(std::size_t j, int delta);
  void negate();
  void start_from_nothing();
  void set_affine();
  [[nodiscard]] double objective(std::span<const double> y, double lambda) const;
  [[nodiscard]] double true_error(std::span<const double> y) const;
  [[nodiscard]] double value_at(std::size_t n) const { return step_ * static_cast<double>(u_[n]) + b_; }
  [[nodiscard]] TflSolution solution() const { return {.t = t_, .alpha = step_ / problem_.delta, .b = b_}; }

  TflProblem problem_;
  double top_;    ///< M
  double floor_;  ///< t'G t counts as 0 up to this
  std::vector<std::int8_t> t_;
  double step_ = 0, b_ = 0;      ///< alpha times delta
  std::vector<std::int32_t> u_;  ///< X^T t in codes
  std::vector<double> h_;        ///< G t
  std::vector<double> z_, g_;
  double mean_z_ = 0, num_ = 0, den_ = 0, ratio_ = 0;
};

/// Q(v): the code of v times delta, in double.
[[nodiscard]] double tfl_level(const ThresholdTable& table, double delta, double v) noexcept;
/// (B) for one number.
[[nodiscard]] double tfl_best_z(double v, double y, double lambda, double top) noexcept;

}  // namespace bitplane::train
