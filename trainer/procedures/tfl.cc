// SPDX-License-Identifier: Apache-2.0
#include "trainer/procedures/tfl.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

namespace bitplane::train {
namespace {

constexpr double kNothing = 1e-12, kGain = 1e-12, kLeastProgress = 1e-6;
constexpr int kSweeps = 20;

double top_of(const TflProblem& problem) {
  if (problem.output != TflOutput::Codes) return std::numeric_limits<double>::infinity();
  return problem.delta * static_cast<double>(problem.table->thresholds.size());
}

}  // namespace

double tfl_level(const ThresholdTable& table, double delta, double v) noexcept {
  double rank = 0;
  for (const float t : table.thresholds) rank += v > static_cast<double>(t) ? 1 : 0;
  return rank * delta;
}

double tfl_best_z(double v, double y, double lambda, double top) noexcept {
  const double inside = std::min(top, std::max(0.0, (lambda * v + y) / (1.0 + lambda)));
  const double below = std::min(0.0, v), above = std::max(top, v);
  const auto cost = [&](double z, double clipped) {
    return (y - clipped) * (y - clipped) + lambda * (z - v) * (z - v);
  };
  double best = inside, least = cost(inside, inside);
  if (const double c = cost(below, 0.0); c < least) {
    best = below;
    least = c;
  }
  if (std::isfinite(top) && cost(above, top) < least) best = above;
  return best;
}

TflSolver::TflSolver(const TflProblem& problem)
    : problem_(problem),
      top_(top_of(problem)),
      floor_(kNothing * problem.inputs.gram_trace()),
      t_(problem.inputs.m()),
      u_(problem.inputs.samples()),
      h_(problem.inputs.m()),
      z_(problem.inputs.samples()),
      g_(problem.inputs.m()) {}

void TflSolver::take(const TflSolution& solution) {
  std::ranges::fill(t_, std::int8_t{0});
  std::ranges::fill(u_, 0);
  std::ranges::fill(h_, 0.0);
  for (std::size_t j = 0; j < t_.size(); ++j) {
    if (solution.t[j] != 0) move(j, solution.t[j]);
  }
  step_ = solution.alpha * problem_.delta;
  b_ = problem_.inputs.intercept() == Intercept::Learned ? solution.b : 0.0;
}

void TflSolver::move(std::size_t j, int delta) {
  t_[j] = static_cast<std::int8_t>(t_[j] + delta);
  const std::span<const double> gram = problem_.inputs.gram(j);
  const auto d = static_cast<double>(delta);
  for (std::size_t i = 0; i < h_.size(); ++i) h_[i] += d * gram[i];
  const std::span<const std::uint8_t> x = problem_.inputs.row(j);
  for (std::size_t n = 0; n < u_.size(); ++n) u_[n] += delta * static_cast<int>(x[n]);
}

void TflSolver::negate() {
  for (std::int8_t& t : t_) t = static_cast<std::int8_t>(-t);
  for (std::int32_t& u : u_) u = -u;
  for (double& h : h_) h = -h;
}

void TflSolver::find_z(std::span<const double> y, double lambda) {
  for (std::size_t n = 0; n < z_.size(); ++n) z_[n] = tfl_best_z(value_at(n), y[n], lambda, top_);
}

double TflSolver::objective(std::span<const double> y, double lambda) const {
  double misfit = 0, distance = 0;
  for (std::size_t n = 0; n < z_.size(); ++n) {
    const double error = y[n] - std::min(top_, std::max(0.0, z_[n])), away = z_[n] - value_at(n);
    misfit += error * error;
    distance += away * away;
  }
  return misfit + lambda * distance;
}

double TflSolver::true_error(std::span<const double> y) const {
  double sum = 0;
  for (std::size_t n = 0; n < u_.size(); ++n) {
    const double v = value_at(n);
    const double out = problem_.output == TflOutput::Codes  ? tfl_level(*problem_.table, problem_.delta, v)
                       : problem_.output == TflOutput::Relu ? std::max(0.0, v)
                                                            : v;
    sum += (y[n] - out) * (y[n] - out);
  }
  return sum;
}

/// The one coordinate that helps most.
void TflSolver::start_from_nothing() {
  std::size_t best = t_.size();
  double most = 0;
  for (std::size_t j = 0; j < t_.size(); ++j) {
    const double diagonal = problem_.inputs.gram(j)[j];
    if (!(diagonal > floor_)) continue;
    const double gain = g_[j] * g_[j] / diagonal;
    if (gain > most) {
      most = gain;
      best = j;
    }
  }
  if (best < t_.size()) move(best, g_[best] < 0 ? -1 : 1);
}

/// Whether coordinate j moved.
bool TflSolver::improve(std::size_t j) {
  constexpr std::array<std::int8_t, 3> kLevels{-1, 0, 1};
  const double diagonal = problem_.inputs.gram(j)[j];
  std::int8_t best = t_[j];
  double best_ratio = 0, best_num = 0, best_den = 0;
  for (const std::int8_t level : kLevels) {
    if (level == t_[j]) continue;
    const auto d = static_cast<double>(level - t_[j]);
    const double num = num_ + d * g_[j];
    const double den = den_ + 2.0 * d * h_[j] + d * d * diagonal;
    if (!(num > 0) || !(den > floor_)) continue;
    const double ratio = num * num / den;
    if (!(ratio > best_ratio)) continue;
    best = level;
    best_ratio = ratio;
    best_num = num;
    best_den = den;
  }
  if (best == t_[j] || !(best_ratio > ratio_ * (1.0 + kGain))) return false;
  move(j, best - t_[j]);
  num_ = best_num;
  den_ = best_den;
  ratio_ = best_ratio;
  return true;
}

void TflSolver::sweep() {
  for (int s = 0; s < kSweeps; ++s) {
    bool changed = false;
    for (std::size_t j = 0; j < t_.size(); ++j) changed = improve(j) || changed;
    if (!changed) return;
  }
}

/// num, den and the ratio from scratch.
void TflSolver::set_affine() {
  num_ = den_ = 0;
  for (std::size_t j = 0; j < t_.size(); ++j) {
    num_ += static_cast<double>(t_[j]) * g_[j];
    den_ += static_cast<double>(t_[j]) * h_[j];
  }
  ratio_ = den_ > floor_ ? num_ * num_ / den_ : 0.0;
}

/// (A): from z_ to t_, step_ and b_.
void TflSolver::find_weights() {
  const TflInputs& inputs = problem_.inputs;
  const auto count = static_cast<double>(inputs.samples());
  const bool centred = inputs.intercept() == Intercept::Learned;
  inputs.multiply(z_, g_);
  mean_z_ = centred ? std::accumulate(z_.begin(), z_.end(), 0.0) / count : 0.0;
  for (std::size_t j = 0; centred && j < g_.size(); ++j) g_[j] -= inputs.row_sum(j) * mean_z_;
  set_affine();
  if (num_ < 0) negate();
  if (std::ranges::all_of(t_, [](std::int8_t t) { return t == 0; })) start_from_nothing();
  set_affine();
  sweep();
  step_ = num_ > 0 && den_ > floor_ ? inputs.gram_scale() * num_ / den_ : 0.0;
  double sum = 0;
  for (std::size_t j = 0; centred && j < t_.size(); ++j)
    sum += static_cast<double>(t_[j]) * inputs.row_sum(j);
  b_ = centred ? mean_z_ - step_ * sum / count : 0.0;
}

TflSolution TflSolver::fit(std::span<const double> y, std::vector<std::int8_t> t) {
  take({.t = std::move(t)});
  const TflInputs& inputs = problem_.inputs;
  const auto count = static_cast<double>(inputs.samples());
  const bool centred = inputs.intercept() == Intercept::Learned;
  inputs.multiply(y, g_);
  const double mean = centred ? std::accumulate(y.begin(), y.end(), 0.0) / count : 0.0;
  double sum = 0;
  for (std::size_t j = 0; centred && j < g_.size(); ++j) {
    g_[j] -= inputs.row_sum(j) * mean;
    sum += static_cast<double>(t_[j]) * inputs.row_sum(j);
  }
  set_affine();
  if (num_ < 0) {
    negate();
    num_ = -num_;
    sum = -sum;
  }
  step_ = num_ > 0 && den_ > floor_ ? inputs.gram_scale() * num_ / den_ : 0.0;
  b_ = centred ? mean - step_ * sum / count : 0.0;
  return solution();
}

TflResult TflSolver::solve(std::span<const double> y, const TflSolution& start, TflTrace* trace) {
  take(start);
  TflResult result{.start_error = true_error(y)};
  const TflSolution initial = solution();
  for (const TflLambda& stage : problem_.lambdas) {
    if (problem_.output == TflOutput::Linear) {
      // z is y whatever lambda: one (A) is the end.
      std::ranges::copy(y, z_.begin());
      find_weights();
      break;
    }
    find_z(y, stage.lambda);
    double before = objective(y, stage.lambda);
    if (trace != nullptr) trace->push_back({before});
    for (std::size_t i = 0; i < stage.alternations; ++i) {
      find_weights();
      if (trace != nullptr) trace->back().push_back(objective(y, stage.lambda));
      find_z(y, stage.lambda);
      const double now = objective(y, stage.lambda);
      if (trace != nullptr) trace->back().push_back(now);
      if (now == 0 || before - now <= kLeastProgress * before) break;
      before = now;
    }
  }
  result.end_error = true_error(y);
  result.solution = result.start_error < result.end_error ? initial : solution();
  return result;
}

}  // namespace bitplane::train
