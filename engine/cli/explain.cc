// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bitplane/model_spec.h"
#include "engine/cli/commands.h"
#include "engine/cli/options.h"
#include "engine/cli/shared/errors.h"
#include "engine/cli/shared/number_flags.h"
#include "engine/cli/shared/number_text.h"
#include "engine/cli/shared/table.h"
#include "engine/cli/timing.h"
#include "engine/cli/variants.h"

namespace bitplane::cli {
namespace {

struct ExplainOptions {
  ModelOptions model;
  std::size_t repetitions = 30;
  Format format = Format::Text;
};

/// What a layer takes now, and what it would take as something else. Medians of this run, nanoseconds.
struct Finding {
  std::string step, advice;
  double now_ns = 0.0;
  std::optional<double> then_ns;  ///< measured on a variant of the model; none where nothing was

  [[nodiscard]] double gain() const noexcept { return then_ns ? now_ns - *then_ns : 0.0; }
};

/// A session of one variant and what its steps take.
struct Timed {
  engine::Session session;
  std::vector<double> ns;

  /// The step that computes this node; none when the variant has no step of its own for it.
  [[nodiscard]] std::optional<double> of(const std::string& node) const {
    for (std::size_t s = 0; s < ns.size(); ++s) {
      if (first_node(session.steps()[s]) == node) return ns[s];
    }
    return std::nullopt;
  }
  [[nodiscard]] static std::string first_node(const engine::StepInfo& step) {
    return step.name.substr(0, step.name.find('+'));
  }
};

Timed time_model(const engine::Model& model, const engine::SessionOptions& options, std::size_t repetitions) {
  Timed timed{take(engine::Session::create(model, options)), {}};
  const Timings timings = measure_latency(timed.session, make_pictures(model.input(), 1),
                                          {.repetitions = repetitions, .warm_up = 3});
  for (const auto& samples : timings.step_ns) timed.ns.push_back(quantile(samples, 0.5));
  return timed;
}

/// Nothing when this build cannot run the variant.
std::optional<Timed> time_variant(const std::optional<engine::ModelSpec>& spec,
                                  const ExplainOptions& options) {
  if (!spec) return std::nullopt;
  auto model = engine::Model::from_spec(*spec);
  if (!model.ok()) return std::nullopt;
  return time_model(model.value(), session_options(options.model), options.repetitions);
}

/// The session, and its variants.
struct Measured {
  Timed now;
  std::optional<Timed> floats, uniform, first_last_8;
  std::vector<std::pair<std::string, Timed>> families;
  double total = 0.0;
};

Measured measure(const engine::Model& model, const ExplainOptions& options) {
  Measured measured{.now = time_model(model, session_options(options.model), options.repetitions),
                    .floats = time_variant(float_twin(model.spec()), options),
                    .uniform = time_variant(uniform_twin(model.spec()), options),
                    .first_last_8 = time_variant(eight_bit_ends(model.spec()), options),
                    .families = {}};
  for (const std::string& family : family_names()) {
    engine::SessionOptions chosen = session_options(options.model);
    chosen.family = family;
    measured.families.emplace_back(family, time_model(model, chosen, options.repetitions));
  }
  for (const double ns : measured.now.ns) measured.total += ns;
  return measured;
}

/// A variant's time only where it is shorter beyond the noise.
constexpr double kClearlyLess = 0.95;
void propose(const std::optional<double>& then, std::string advice, const engine::StepInfo& step, double now,
             std::vector<Finding>& findings) {
  if (then && *then < now * kClearlyLess) findings.push_back({step.name, std::move(advice), now, then});
}

void explain_float_layer(const Measured& measured, std::size_t s, std::vector<Finding>& findings) {
  const engine::StepInfo& step = measured.now.session.steps()[s];
  const double now = measured.now.ns[s];
  if (!measured.first_last_8) return;
  const std::string node = Timed::first_node(step);
  std::optional<double> then = measured.first_last_8->of(node);
  // Its input's quantizer counts where nothing takes it up.
  if (then) *then += measured.first_last_8->of(eight_bit_input(node)).value_or(0.0);
  propose(then,
          "float weights on float activations: 8 bits for first and last layers (train with --first-last 8)",
          step, now, findings);
}

void explain_low_bit_layer(const Measured& measured, std::size_t s, std::vector<Finding>& findings) {
  const engine::StepInfo& step = measured.now.session.steps()[s];
  const std::string node = Timed::first_node(step);
  const double now = measured.now.ns[s];
  if (measured.floats)
    propose(measured.floats->of(node), "bits are slower than float32 here: leave this layer float", step, now,
            findings);
  for (const auto& [family, timed] : measured.families) {
    if (timed.session.steps()[s].kernel == step.kernel) continue;
    propose(
        timed.ns[s],
        "kernel " + timed.session.steps()[s].kernel + " is faster (--family " + family + ", or --autotune)",
        step, now, findings);
  }
  if (measured.uniform)
    propose(measured.uniform->of(node), "uniform codes instead of a learned basis", step, now, findings);
  if (const std::size_t granule = granule_of(step.in.channels); granule > step.in.channels) {
    findings.push_back(
        {step.name,
         std::to_string(step.in.channels) + " channels take granules of " + std::to_string(granule) +
             " bits: " +
             percent(1.0 - static_cast<double>(step.in.channels) / static_cast<double>(granule), 0) +
             " of the work is padding; more channels would be free",
         now,
         {}});
  }
  if (step.constant_channels > 0) {
    findings.push_back(
        {step.name,
         std::to_string(step.constant_channels) + " of " + std::to_string(step.out.channels) +
             " output channels are the same for every picture: remove them and train again",
         now,
         now * (1.0 - static_cast<double>(step.constant_channels) / static_cast<double>(step.out.channels))});
  }
}

/// Steps without products are worth a word when they take this part of the time.
constexpr double kNoticeable = 0.05;

std::vector<Finding> explain_steps(const Measured& measured) {
  std::vector<Finding> findings;
  const auto steps = measured.now.session.steps();
  for (std::size_t s = 0; s < steps.size(); ++s) {
    const engine::StepInfo& step = steps[s];
    if (step.macs > 0 && step.bit_operations > 0) {
      explain_low_bit_layer(measured, s, findings);
    } else if (step.macs > 0) {
      explain_float_layer(measured, s, findings);
    } else if (measured.now.ns[s] > kNoticeable * measured.total) {
      findings.push_back(
          {step.name,
           step.op + (step.out_bits == 32 ? " on floats: a quantizer behind it would let it be fused"
                                          : " on its own: no convolution computes its input alone"),
           measured.now.ns[s],
           {}});
    }
  }
  std::stable_sort(findings.begin(), findings.end(),
                   [](const Finding& a, const Finding& b) { return a.gain() > b.gain(); });
  return findings;
}

void print_text(const engine::Model& model, const Measured& measured, const std::vector<Finding>& findings) {
  const auto us = [](double ns) { return fixed(ns / 1e3, 2); };
  std::cout << "model       " << model.spec().name << ", " << measured.now.session.isa() << ": "
            << us(measured.total) << " us per picture\n";
  if (measured.floats) {
    double total = 0.0;
    for (const double ns : measured.floats->ns) total += ns;
    std::cout << "in float32  " << us(total) << " us: bits make it " << fixed(total / measured.total, 2)
              << " times as fast\n";
  }
  std::cout << '\n';
  if (findings.empty()) {
    std::cout << "Nothing found: every layer gains from its bits here.\n";
    return;
  }
  Table table({{"step"},
               {"us now", Align::Right},
               {"share", Align::Right},
               {"us then", Align::Right},
               {"what would gain"}});
  for (const Finding& finding : findings) {
    table.add({finding.step, us(finding.now_ns), percent(finding.now_ns / measured.total, 1),
               finding.then_ns ? us(*finding.then_ns) : "-", finding.advice});
  }
  table.print(std::cout);
}

ExitCode explain(const ExplainOptions& options) {
  const auto model = load_model(options.model.path);
  const Measured measured = measure(model, options);
  const std::vector<Finding> findings = explain_steps(measured);
  if (options.format == Format::Text) {
    print_text(model, measured, findings);
    return ExitCode::Ok;
  }
  Json list = Json::array();
  for (const Finding& finding : findings) {
    Json entry{{"step", finding.step}, {"advice", finding.advice}, {"now_ns", finding.now_ns}};
    if (finding.then_ns) entry["then_ns"] = *finding.then_ns;
    list.push_back(std::move(entry));
  }
  print_json({{"model", model.spec().name},
              {"isa", measured.now.session.isa()},
              {"total_ns", measured.total},
              {"findings", list}});
  return ExitCode::Ok;
}

}  // namespace

Action declare_explain(CLI::App& app) {
  auto options = std::make_shared<ExplainOptions>();
  add_model(app, options->model);
  add_threads(app, options->model);
  add_number(app, WholeFlag{"--repetitions", "runs of each variant that are timed", {1, 1U << 16}},
             options->repetitions);
  add_kernel_choice(app, options->model);
  add_json(app, options->format);
  return [options] { return explain(*options); };
}

}  // namespace bitplane::cli
