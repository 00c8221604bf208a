// SPDX-License-Identifier: Apache-2.0
#include "runner.h"

#include <benchmark/benchmark.h>
#include <unistd.h>

#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>

namespace bitplane::bench {
namespace {

struct Running {
  const Case* of = nullptr;
  Row row{};
  std::optional<Timed> timed{};
  std::string error{};
};

/// One call is one repetition, or one step of Google Benchmark's search for the number of iterations.
void measure(benchmark::State& state, Running& running) {
  try {
    if (!running.error.empty()) throw std::runtime_error(running.error);
    if (!running.timed) running.timed = running.of->prepare();
    if (const auto* elsewhere = std::get_if<RunElsewhere>(&*running.timed)) {
      while (state.KeepRunningBatch(state.max_iterations))
        state.SetIterationTime((*elsewhere)(state.max_iterations));
      return;
    }
    const RunHere& run = std::get<RunHere>(*running.timed);
    for ([[maybe_unused]] auto _ : state) {
      run();
      benchmark::ClobberMemory();
    }
  } catch (const std::exception& error) {
    running.error = error.what();
    state.SkipWithError(error.what());
  }
}

/// Collects the repetitions; prints nothing but where the run is.
class Collector final : public benchmark::BenchmarkReporter {
 public:
  Collector(std::map<std::string, Running>& running, std::size_t total) : running_(running), total_(total) {}

  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.run_type != Run::RT_Iteration || run.iterations == 0) continue;
      Running& running = running_.at(run.run_name.function_name);
      if (!running.error.empty()) continue;
      const double seconds =
          running.of->timing == Timing::Elsewhere ? run.real_accumulated_time : run.cpu_accumulated_time;
      running.row.seconds.push_back(seconds / static_cast<double>(run.iterations));
    }
    ++done_;
    if (isatty(STDERR_FILENO) != 0) std::fprintf(stderr, "\r%zu of %zu rows ", done_, total_);
  }
  void Finalize() override {
    if (isatty(STDERR_FILENO) != 0) std::fputs("\n", stderr);
  }

 private:
  std::map<std::string, Running>& running_;
  std::size_t total_, done_ = 0;
};

void initialize(const RunOptions& options) {
  std::vector<std::string> flags{"bench", "--benchmark_enable_random_interleaving=true",
                                 "--benchmark_repetitions=" + std::to_string(options.repetitions),
                                 "--benchmark_min_time=" + std::to_string(options.seconds_per_repetition)};
  flags.insert(flags.end(), options.benchmark_flags.begin(), options.benchmark_flags.end());
  std::vector<char*> pointers;
  pointers.reserve(flags.size());
  for (std::string& flag : flags) pointers.push_back(flag.data());
  int count = static_cast<int>(pointers.size());
  benchmark::Initialize(&count, pointers.data());
  if (count > 1) throw std::runtime_error(std::string("Google Benchmark does not know ") + pointers[1]);
}

}  // namespace

std::vector<Row> run_cases(const std::vector<Case>& cases, const RunOptions& options,
                           std::vector<std::string>& errors) {
  initialize(options);
  std::map<std::string, Running> running;
  for (const Case& c : cases) {
    const std::string name = row_name(c.row.key);
    const auto [entry, added] = running.try_emplace(name, Running{.of = &c, .row = c.row});
    if (!added) throw std::logic_error(name + " is there twice");
    Running& r = entry->second;
    auto* registered =
        benchmark::RegisterBenchmark(name.c_str(), [&r](benchmark::State& state) { measure(state, r); });
    if (c.timing == Timing::Elsewhere) registered->UseManualTime();
  }
  Collector collector(running, cases.size());
  benchmark::RunSpecifiedBenchmarks(&collector);

  std::vector<Row> rows;
  for (const Case& c : cases) {
    Running& r = running.at(row_name(c.row.key));
    if (!r.error.empty()) errors.push_back(row_name(c.row.key) + ": " + r.error);
    if (!r.row.seconds.empty()) rows.push_back(std::move(r.row));
  }
  benchmark::Shutdown();
  return rows;
}

}  // namespace bitplane::bench
