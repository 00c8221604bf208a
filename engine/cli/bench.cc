// SPDX-License-Identifier: Apache-2.0
#include <sys/resource.h>

#include <chrono>
#include <iostream>
#include <memory>
#include <optional>
#include <vector>

#include "bitplane/kernels/isa.h"
#include "bitplane/model_spec.h"
#include "engine/cli/commands.h"
#include "engine/cli/options.h"
#include "engine/cli/peak_shares.h"
#include "engine/cli/shared/errors.h"
#include "engine/cli/shared/number_flags.h"
#include "engine/cli/shared/number_text.h"
#include "engine/cli/shared/table.h"
#include "engine/cli/steps.h"
#include "engine/cli/timing.h"

namespace bitplane::cli {
namespace {

constexpr std::uint64_t kMostRuns = 1U << 24;

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

/// Bytes that this process held at most: code, model, packed weights, session and the timings.
std::size_t peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::size_t>(usage.ru_maxrss) * 1024;
}

/// Milliseconds from the file to the first picture.
struct StartUp {
  double load = 0.0;    ///< reading, checking and lowering the model
  double create = 0.0;  ///< the session: choosing kernels, packing, planning memory
};

class Stopwatch {
 public:
  /// Milliseconds since it was made or asked.
  double lap() {
    const auto now = std::chrono::steady_clock::now();
    const std::chrono::duration<double, std::milli> passed = now - start_;
    start_ = now;
    return passed.count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// What was measured, by one thread's work per nanosecond where peaks are concerned.
struct Measured {
  const engine::Session& session;
  const Timings& timings;
  const PeakShares& shares;
  std::size_t batch, threads;

  /// Of the peak of all threads.
  [[nodiscard]] std::optional<double> share(std::size_t step, double ns) const {
    const auto one = shares.share(session.steps()[step], batch, ns);
    return one ? std::optional(*one / static_cast<double>(threads)) : one;
  }
};

void print_profile(const Measured& measured) {
  const auto& [session, timings, shares, batch, threads] = measured;
  Table table({{"step"},
               {"op"},
               {"out"},
               {"us/picture", Align::Right},
               {"share", Align::Right},
               {"GMAC/s", Align::Right},
               {"Gbit-op/s", Align::Right},
               {"of peak", Align::Right},
               {"kernel"}});
  double total = 0.0;
  for (const auto& samples : timings.step_ns) total += quantile(samples, 0.5);
  for (std::size_t s = 0; s < timings.step_ns.size(); ++s) {
    const engine::StepInfo& step = session.steps()[s];
    const double ns = quantile(timings.step_ns[s], 0.5);
    const auto share = measured.share(s, ns);
    table.add({step.name, step.op, shape_text(step.out), fixed(ns / 1e3 / static_cast<double>(batch), 2),
               percent(total > 0.0 ? ns / total : 0.0, 1),
               rate_or_dash(giga_per_second(step.macs, batch, ns)),
               rate_or_dash(giga_per_second(step.bit_operations, batch, ns)),
               share ? percent(*share, 0) : "-", step.kernel});
  }
  table.print(std::cout);
  for (const Peak& peak : shares.peaks()) {
    std::cout << "peak        " << fixed(peak.per_ns, 0) << ' ' << peak.loop->unit << " by "
              << peak.loop->name << " (" << peak.loop->instructions << ", one thread, this run)\n";
  }
}

Json profile_json(const Measured& measured) {
  const auto& [session, timings, shares, batch, threads] = measured;
  Json steps = Json::array();
  for (std::size_t s = 0; s < timings.step_ns.size(); ++s) {
    const engine::StepInfo& step = session.steps()[s];
    const double ns = quantile(timings.step_ns[s], 0.5);
    Json entry = step_json(step);
    entry["median_ns"] = ns;
    entry["gmac_per_second"] = giga_per_second(step.macs, batch, ns);
    entry["gbitop_per_second"] = giga_per_second(step.bit_operations, batch, ns);
    if (const auto share = measured.share(s, ns)) entry["share_of_peak"] = *share;
    steps.push_back(std::move(entry));
  }
  return steps;
}

Json peaks_json(const PeakShares& shares) {
  Json list = Json::array();
  for (const Peak& peak : shares.peaks()) {
    list.push_back({{"name", peak.loop->name},
                    {"isa", kernels::isa_name(peak.loop->isa)},
                    {"instructions", peak.loop->instructions},
                    {"unit", peak.loop->unit},
                    {"value", peak.per_ns}});
  }
  return list;
}

ExitCode bench(const BenchOptions& options) {
  StartUp start_up;
  Stopwatch stopwatch;
  const auto model = load_model(options.model.path);
  start_up.load = stopwatch.lap();
  auto session = take(engine::Session::create(model, session_options(options.model, options.batch)));
  start_up.create = stopwatch.lap();
  PeakShares shares(session.steps());
  shares.measure();
  const Timings timings = measure_latency(session, make_pictures(model.input(), options.batch),
                                          {.repetitions = options.repetitions, .warm_up = options.warm_up});
  shares.measure();
  const Measured measured{session, timings, shares, options.batch, options.model.threads};
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
                {"load_ms", start_up.load},
                {"create_ms", start_up.create},
                {"session_bytes", session.memory_bytes()},
                {"peak_memory_bytes", peak_memory()},
                {"peaks", peaks_json(shares)},
                {"steps", profile_json(measured)}});
    return ExitCode::Ok;
  }
  std::cout << "model       " << model.spec().name << ", " << session.isa() << ", " << options.model.threads
            << (options.model.threads == 1 ? " thread" : " threads") << ", batch " << options.batch << ", "
            << options.repetitions << " runs after " << options.warm_up << " to warm up\nlatency     "
            << fixed(median / 1e3, 1) << " us per picture (median), " << fixed(p95 / 1e3, 1)
            << " us (95 % of the runs)\nspeed       " << fixed(1e9 / median, 0) << " pictures/s\nstart-up    "
            << fixed(start_up.load + start_up.create, 1) << " ms (" << fixed(start_up.load, 1)
            << " to load and check, " << fixed(start_up.create, 1) << " to plan and pack)\nmemory      "
            << short_bytes(session.memory_bytes()) << " of the session, " << short_bytes(peak_memory())
            << " of the process at most\n\n";
  print_profile(measured);
  return ExitCode::Ok;
}

}  // namespace

Action declare_bench(CLI::App& app) {
  auto options = std::make_shared<BenchOptions>();
  add_model(app, options->model);
  add_threads(app, options->model);
  add_number(app, WholeFlag{"--batch", "pictures per run", {1, 1U << 16}}, options->batch);
  add_number(app, WholeFlag{"--repetitions", "runs that are timed", {1, kMostRuns}}, options->repetitions);
  add_number(app, WholeFlag{"--warm-up", "runs before them", {0, kMostRuns}}, options->warm_up);
  add_kernel_choice(app, options->model);
  add_json(app, options->format);
  return [options] { return bench(*options); };
}

}  // namespace bitplane::cli
