// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <memory>
#include <vector>

#include "bitplane/model_spec.h"
#include "engine/cli/commands.h"
#include "engine/cli/options.h"
#include "engine/cli/shared/errors.h"
#include "engine/cli/shared/number_text.h"
#include "engine/cli/shared/table.h"
#include "engine/cli/steps.h"
#include "engine/cli/timing.h"

namespace bitplane::cli {
namespace {

struct BenchOptions {
  ModelOptions model;
  std::size_t batch = 1, repetitions = 200, warm_up = 20;
  Format format = Format::Text;
};

/// Operations per nanosecond are 10^9 per second.
double giga_per_second(std::size_t operations, std::size_t batch, double nanoseconds) {
  return nanoseconds > 0.0 ? static_cast<double>(operations * batch) / nanoseconds : 0.0;
}

std::string rate_or_dash(double rate) {
  return rate == 0.0 ? "-" : fixed(rate, rate < 10.0 ? 2 : 1);
}

void print_profile(const engine::Session& session, const Timings& timings, std::size_t batch) {
  Table table({{"step"},
               {"op"},
               {"out"},
               {"us/picture", Align::Right},
               {"share", Align::Right},
               {"GMAC/s", Align::Right},
               {"Gbit-op/s", Align::Right},
               {"kernel"}});
  double total = 0.0;
  for (const auto& samples : timings.step_ns) total += quantile(samples, 0.5);
  for (std::size_t s = 0; s < timings.step_ns.size(); ++s) {
    const engine::StepInfo& step = session.steps()[s];
    const double ns = quantile(timings.step_ns[s], 0.5);
    table.add({step.name, step.op, shape_text(step.out), fixed(ns / 1e3 / static_cast<double>(batch), 2),
               percent(total > 0.0 ? ns / total : 0.0, 1),
               rate_or_dash(giga_per_second(step.macs, batch, ns)),
               rate_or_dash(giga_per_second(step.bit_operations, batch, ns)), step.kernel});
  }
  table.print(std::cout);
}

Json profile_json(const engine::Session& session, const Timings& timings, std::size_t batch) {
  Json steps = Json::array();
  for (std::size_t s = 0; s < timings.step_ns.size(); ++s) {
    const engine::StepInfo& step = session.steps()[s];
    const double ns = quantile(timings.step_ns[s], 0.5);
    Json entry = step_json(step);
    entry["median_ns"] = ns;
    entry["gmac_per_second"] = giga_per_second(step.macs, batch, ns);
    entry["gbitop_per_second"] = giga_per_second(step.bit_operations, batch, ns);
    steps.push_back(std::move(entry));
  }
  return steps;
}

ExitCode bench(const BenchOptions& options) {
  const auto model = load_model(options.model.path);
  auto session = take(engine::Session::create(model, session_options(options.model, options.batch)));
  const Timings timings = measure_latency(session, make_pictures(model.input(), options.batch),
                                          {.repetitions = options.repetitions, .warm_up = options.warm_up});
  const auto pictures = static_cast<double>(options.batch);
  const double median = quantile(timings.run_ns, 0.5) / pictures,
               p95 = quantile(timings.run_ns, 0.95) / pictures;
  if (options.format == Format::JsonDocument) {
    print_json({{"model", model.spec().name},
                {"isa", session.isa()},
                {"threads", options.model.threads},
                {"batch", options.batch},
                {"repetitions", options.repetitions},
                {"median_us_per_picture", median / 1e3},
                {"p95_us_per_picture", p95 / 1e3},
                {"pictures_per_second", 1e9 / median},
                {"steps", profile_json(session, timings, options.batch)}});
    return ExitCode::Ok;
  }
  std::cout << "model       " << model.spec().name << ", " << session.isa() << ", " << options.model.threads
            << (options.model.threads == 1 ? " thread" : " threads") << ", batch " << options.batch << ", "
            << options.repetitions << " runs after " << options.warm_up << " to warm up\nlatency     "
            << fixed(median / 1e3, 1) << " us per picture (median), " << fixed(p95 / 1e3, 1)
            << " us (95 % of the runs)\nspeed       " << fixed(1e9 / median, 0) << " pictures/s\n\n";
  print_profile(session, timings, options.batch);
  return ExitCode::Ok;
}

}  // namespace

Action declare_bench(CLI::App& app) {
  auto options = std::make_shared<BenchOptions>();
  add_model(app, options->model);
  add_threads(app, options->model);
  app.add_option("--batch", options->batch, "pictures per run")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1} << 16))
      ->capture_default_str();
  app.add_option("--repetitions", options->repetitions, "runs that are timed")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1} << 24))
      ->capture_default_str();
  app.add_option("--warm-up", options->warm_up, "runs before them")->capture_default_str();
  add_kernel_choice(app, options->model);
  add_json(app, options->format);
  return [options] { return bench(*options); };
}

}  // namespace bitplane::cli
