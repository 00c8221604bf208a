// SPDX-License-Identifier: Apache-2.0
#include "selection.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <regex>
#include <stdexcept>
#include <vector>

#include "bitplane/engine.h"
#include "bitplane/kernels/lowbit_conv.h"
#include "bitplane/model_spec.h"
#include "layers.h"
#include "lowbit_run.h"

namespace bitplane::bench {
namespace {

using namespace kernels;
using Clock = std::chrono::steady_clock;

constexpr double kTolerance = 1.10;

/// A quantizer with evenly spaced thresholds and the given basis.
engine::Quantize quantizer(const BitConvSpec& spec, Basis basis) {
  const std::size_t bits = spec.activation_planes, levels = std::size_t{1} << bits;
  engine::Quantize quantize;
  quantize.bits = bits;
  quantize.basis = engine::UniformBasis{{1.0F}};
  if (basis == Basis::Learned)
    quantize.basis = engine::LearnedBasis{{spec.activation_basis, spec.activation_basis + bits}};
  for (std::size_t l = 0; l < levels; ++l) {
    if (l > 0) quantize.thresholds.push_back(static_cast<float>(l) - 0.5F * static_cast<float>(levels));
    quantize.code_of_rank.push_back(static_cast<std::uint8_t>(l));
  }
  return quantize;
}

engine::PlaneWeights plane_weights(const BitConvSpec& spec, Basis basis) {
  const PlaneMatrixView& view = spec.weights;
  const std::size_t words = view.planes * view.rows * words_for_bits(view.k);
  engine::PlaneWeights weights{
      .planes = {view.planes, view.rows, view.k, std::vector<std::uint64_t>(view.words, view.words + words)},
      .encoding = view.planes == 1 ? engine::PlaneEncoding::Unsigned : engine::PlaneEncoding::TwosComplement,
      .basis = engine::UniformBasis{{1.0F}},
      .offset = {}};
  if (basis == Basis::Learned) {
    weights.encoding = engine::PlaneEncoding::Bipolar;
    weights.basis = engine::LearnedBasis{{spec.weight_basis, spec.weight_basis + view.planes * view.rows}};
  }
  return weights;
}

/// The layer between two quantizers, as a model.
engine::Model layer_model(const LowBitProblem& problem) {
  const ConvShape& s = problem.shape();
  const BitConvSpec spec = problem.spec();
  engine::ModelSpec model;
  model.name = "layer";
  model.input = {s.height, s.width, s.channels, std::vector<float>(s.channels, 0.5F),
                 std::vector<float>(s.channels, 0.25F)};
  model.output = "out";
  const engine::Quantize quantize = quantizer(spec, problem.basis());
  model.nodes.push_back({"in", {"input"}, quantize});
  model.nodes.push_back({"layer",
                         {"in"},
                         engine::Conv2d{.out_channels = s.out_channels,
                                        .kernel_h = s.kernel_h,
                                        .kernel_w = s.kernel_w,
                                        .stride_h = s.stride_h,
                                        .stride_w = s.stride_w,
                                        .pad_h = s.pad_h,
                                        .pad_w = s.pad_w,
                                        .weights = plane_weights(spec, problem.basis()),
                                        .bias = {}}});
  model.nodes.push_back({"codes", {"layer"}, quantize});
  // Codes are no output: one channel of a single bit reads them.
  const std::size_t words = words_for_bits(s.out_channels);
  engine::PlaneWeights bit{.planes = {1, 1, s.out_channels, std::vector<std::uint64_t>(words)},
                           .encoding = engine::PlaneEncoding::Unsigned,
                           .basis = engine::UniformBasis{{1.0F}},
                           .offset = {}};
  model.nodes.push_back(
      {"out", {"codes"}, engine::Conv2d{.out_channels = 1, .weights = std::move(bit), .bias = {}}});
  engine::Result<engine::Model> loaded = engine::Model::from_spec(std::move(model));
  if (!loaded.ok()) throw std::runtime_error(loaded.status().message());
  return std::move(loaded).value();
}

std::string autotuned_kernel(const engine::Model& model, Isa level) {
  engine::Result<engine::Session> session =
      engine::Session::create(model, {.isa = std::string(isa_name(level)), .autotune = true});
  if (!session.ok()) throw std::runtime_error(session.status().message());
  for (const engine::StepInfo& step : session->steps()) {
    if (step.name.find("layer") != std::string::npos) return step.kernel;
  }
  throw std::logic_error("the layer is no step of its own");
}

struct Contender {
  std::string name;
  RunHere run;
  double best = 1e300;
};

double seconds_of(const RunHere& run, std::size_t times) {
  const Clock::time_point begin = Clock::now();
  for (std::size_t i = 0; i < times; ++i) run();
  return std::chrono::duration<double>(Clock::now() - begin).count() / static_cast<double>(times);
}

/// The smallest time of each, all of them in turn; short runs are repeated, so that the clock does not count.
void time_contenders(std::vector<Contender>& contenders, double seconds) {
  constexpr double kShortest = 2e-5;
  const Clock::time_point begin = Clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(Clock::now() - begin).count(); };
  for (std::size_t turn = 0; turn < 4 || elapsed() < seconds; ++turn) {
    for (Contender& c : contenders) {
      const double guess = c.best < 1.0 ? c.best : kShortest;
      c.best = std::min(c.best, seconds_of(c.run, 1 + static_cast<std::size_t>(kShortest / guess)));
    }
  }
}

std::vector<Contender> contenders_of(const std::shared_ptr<LowBitProblem>& problem,
                                     const LowBitWishes& wishes) {
  std::vector<Contender> contenders;
  for (const LowBitKernel* kernel : lowbit_kernels()) {
    if (!may_run(*kernel, wishes, problem->spec())) continue;
    const auto run = std::make_shared<LowBitRun>(LowBitRun{problem, kernel->make(problem->spec())});
    contenders.push_back({.name = std::string(kernel->info.name),
                          .run = run_to_planes(run, select_epilogue(wishes.features))});
  }
  return contenders;
}

struct Verdict {
  std::string what, best, by_cost, by_time;
  double cost_ratio = 1.0, time_ratio = 1.0;
  [[nodiscard]] double worst() const { return std::max(cost_ratio, time_ratio); }
};

Verdict judge(const std::shared_ptr<LowBitProblem>& problem, Isa level, const std::string& what) {
  constexpr double kFirst = 0.03, kAgain = 0.3;
  const LowBitWishes wishes{.features = detect_cpu().limited_to(level), .family = {}};
  std::vector<Contender> contenders = contenders_of(problem, wishes);
  Verdict verdict{.what = what,
                  .best = {},
                  .by_cost = std::string(select_lowbit(wishes, problem->spec()).info.name),
                  .by_time = autotuned_kernel(layer_model(*problem), level)};
  // What seems too slow gets a longer look, which may show that it was noise.
  for (const double seconds : {kFirst, kAgain}) {
    time_contenders(contenders, seconds);
    const auto time_of = [&](const std::string& name) {
      return std::ranges::find(contenders, name, &Contender::name)->best;
    };
    const Contender& best = *std::ranges::min_element(contenders, {}, &Contender::best);
    verdict.best = best.name;
    verdict.cost_ratio = time_of(verdict.by_cost) / best.best;
    verdict.time_ratio = time_of(verdict.by_time) / best.best;
    if (verdict.worst() <= kTolerance) break;
  }
  return verdict;
}

bool has_lowbit_kernels(Isa isa) {
  return std::ranges::any_of(lowbit_kernels(), [&](const LowBitKernel* k) { return k->info.isa == isa; });
}

std::string ratio_text(const std::string& kernel, double ratio) {
  char text[16];
  std::snprintf(text, sizeof text, " %.2f", ratio);
  return kernel + text;
}

std::string report_text(std::vector<Verdict> verdicts) {
  std::ranges::stable_sort(verdicts, std::ranges::greater{}, &Verdict::worst);
  const auto over = [&](double Verdict::*ratio) {
    return std::ranges::count_if(verdicts, [&](const Verdict& v) { return v.*ratio > kTolerance; });
  };
  std::string text =
      std::to_string(verdicts.size()) +
      " combinations; more than 10 % slower than the best: " + std::to_string(over(&Verdict::cost_ratio)) +
      " by cost, " + std::to_string(over(&Verdict::time_ratio)) +
      " by autotune.\n\n| combination | best | by cost | by autotune |\n|---|---|---|---|\n";
  for (const Verdict& v : verdicts) {
    if (v.worst() <= kTolerance) break;
    text += "| " + v.what + " | " + v.best + " | " + ratio_text(v.by_cost, v.cost_ratio) + " | " +
            ratio_text(v.by_time, v.time_ratio) + " |\n";
  }
  return text;
}

}  // namespace

std::string selection_report(const Selection& selection, const std::string& filter) {
  const std::regex pattern(filter);
  std::vector<Verdict> verdicts;
  for (const LowBitPlace& place : lowbit_places(selection)) {
    for (const Widths widths : kWidths) {
      for (const Basis basis : {Basis::Uniform, Basis::Learned}) {
        const auto problem = std::make_shared<LowBitProblem>(place.shape, widths, basis);
        for (const Isa level : selection.isas) {
          const std::string what = place.group + "/" + place.name + "/" + std::to_string(widths.weights) +
                                   "_" + std::to_string(widths.activations) + "/" + basis_name(basis) + "/" +
                                   std::string(isa_name(level));
          if (!has_lowbit_kernels(level) || !std::regex_search(what, pattern)) continue;
          problem->load();
          verdicts.push_back(judge(problem, level, what));
        }
      }
    }
  }
  return report_text(std::move(verdicts));
}

}  // namespace bitplane::bench
