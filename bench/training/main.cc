// SPDX-License-Identifier: Apache-2.0
//
// bench_training: images per second of a training step, beside the machine's limit and the float product of
// somebody else, measured in the same run. Rounds: in each one every row runs one step, so that what disturbs
// the machine for a while hits all rows alike.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <iostream>
#include <list>
#include <optional>
#include <stdexcept>

#include "peer/peer_list.h"
#include "table/row.h"
#include "training/gemm_rate.h"
#include "training/training_step.h"

namespace {

using namespace bitplane;
using namespace bitplane::bench;

struct Settings {
  std::vector<std::string> nets{};
  std::vector<std::size_t> threads{1, 2};
  std::size_t batch = 128;
  int rounds = 7;
  bool per_operation = false;
};

struct StepRow {
  StepOptions options;
  TrainingStep step;
  std::vector<double> seconds{};
  train::OpProfile profile{};
  explicit StepRow(const StepOptions& o) : options(o), step(o) {}
};

const TrainedMethod kMethods[] = {{"float", "float", 32, 32}, {"LQ-Nets 2/2", "lq-nets", 2, 2}};

double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// One thread: CPU time, which other processes do not lengthen. More: by the clock on the wall.
double now_for(const StepRow& row) {
  return row.options.backend.threads == 1 ? cpu_seconds() : wall_seconds();
}

/// The published nets that are there.
std::vector<std::string> default_nets() {
  std::vector<std::string> names;
  for (const train::NetInfo& net : train::nets()) {
    if (net.name == "resnet-20" || net.name == "vgg-small") names.emplace_back(net.name);
  }
  return names;
}

std::list<StepRow> make_rows(const Settings& settings, kernels::CpuFeatures features) {
  std::list<StepRow> rows;
  for (const std::string& net : settings.nets) {
    for (const TrainedMethod& method : kMethods) {
      for (const std::size_t threads : settings.threads) {
        const StepOptions options{.net = net,
                                  .method = method,
                                  .batch = settings.batch,
                                  .backend = {.features = features, .threads = threads}};
        check_training(options);
        rows.emplace_back(options);
      }
    }
  }
  return rows;
}

const StepRow* find(const std::list<StepRow>& rows, const StepRow& like, const std::string& method,
                    std::size_t threads) {
  for (const StepRow& row : rows) {
    if (row.options.net == like.options.net && row.options.method.label == method &&
        row.options.backend.threads == threads)
      return &row;
  }
  return nullptr;
}

std::string number(double value, const char* format) {
  char text[32];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

/// How many times as long as `other` the row takes, or a dash.
std::string times(const StepRow& row, const StepRow* other, const char* format) {
  if (other == nullptr || other == &row) return "-";
  return number(median(row.seconds) / median(other->seconds), format);
}

/// Of one thread, round by round; empty: there is no such limit at the level that is timed.
struct Limits {
  std::vector<double> fma, gemm;
};

/// `value` times 1 / limit, or a dash.
std::string share(double value, const std::vector<double>& limit, const char* format) {
  return limit.empty() ? "-" : number(value / median(limit), format);
}

std::string gmacs(const std::vector<double>& limit) {
  return limit.empty() ? "not measured" : number(median(limit) * 1e-9, "%.1f GMAC/s");
}

void print_row(const std::list<StepRow>& rows, const StepRow& row, const Limits& limits) {
  const auto threads = static_cast<double>(row.options.backend.threads);
  const double seconds = median(row.seconds), images = static_cast<double>(row.options.batch);
  const double rate = 3 * images * row.step.forward_macs() / seconds;  // forward and two gradients
  const StepRow* alone = find(rows, row, row.options.method.label, 1);
  const bool more = alone != nullptr && alone != &row;
  Row spread;
  spread.seconds = row.seconds;
  std::cout << "| " << row.options.net << " | " << row.options.method.label << " | "
            << row.options.backend.threads << " | " << number(seconds * 1e3, "%.1f") << " | "
            << number(relative_spread(spread) * 100, "%.1f") << " | " << number(images / seconds, "%.1f")
            << " | " << number(rate * 1e-9, "%.1f") << " | "
            << share(100 * rate / threads, limits.fma, "%.0f %%") << " | "
            << share(rate / threads, limits.gemm, "%.2f") << " | "
            << times(row, find(rows, row, "float", row.options.backend.threads), "%.2f") << " | "
            << (more ? number(median(alone->seconds) / seconds, "%.2f") : "-") << " |\n";
}

void print_table(const std::list<StepRow>& rows, const Limits& limits, const Settings& settings,
                 const std::string& peer) {
  std::cout
      << "# Training steps, float32, batch " << settings.batch << "\n\nOne thread of this machine: fma "
      << gmacs(limits.fma) << ", " << peer << " " << gmacs(limits.gemm)
      << ". GMAC/s of a step count the forward pass three times, padding included; shares are of as many "
         "threads."
      << "\n\n| net | method | threads | ms | +- % | images/s | GMAC/s | of fma | of " << peer
      << " | times the float step | times one thread's rate |\n|---|---|---|---|---|---|---|---|---|---|---|"
      << "\n";
  for (const StepRow& row : rows) print_row(rows, row, limits);
  if (!settings.per_operation) return;
  for (const StepRow& row : rows) {
    std::cout << "\n## " << row.options.net << ", " << row.options.method.label << ", "
              << row.options.backend.threads << " thread(s), all rounds\n\n"
              << row.profile.str();
  }
}

int run(const Settings& settings) {
  const kernels::IsaResolution isa = kernels::resolve_isa("");
  if (isa.error != kernels::IsaError::None)
    throw std::invalid_argument("BITPLANE_ISA: '" + std::string(isa.requested) + "' cannot run here");
  // Limits are those of the level that is timed: none where it has no vectors.
  const std::optional<kernels::Isa> level = fma_level(isa.features);
  std::optional<PeerGemm> peer;
  if (level) peer.emplace(*level);
  std::list<StepRow> rows = make_rows(settings, isa.features);
  Limits limits;
  for (int round = 0; round <= settings.rounds; ++round) {  // the first one is not counted
    if (level) limits.fma.push_back(measure_fma_peak(*level));
    if (peer) limits.gemm.push_back(peer->measure());
    for (StepRow& row : rows) {
      if (round == 1 && settings.per_operation) row.step.set_profile(&row.profile);
      const double start = now_for(row);
      row.step.run();
      if (round > 0) row.seconds.push_back(now_for(row) - start);
    }
  }
  print_table(rows, limits, settings, peer ? peer->name() : "another library's f32 GEMM");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings{.nets = default_nets()};
  std::string served;
  CLI::App app{
      "Times training steps on random pictures of 32x32x3, after checking them against a reference."};
  app.add_option("--nets", settings.nets, "names as in `trainer list nets`")->delimiter(',');
  app.add_option("--threads", settings.threads, "numbers of threads")->delimiter(',');
  app.add_option("--batch", settings.batch, "pictures of a step")->check(CLI::PositiveNumber);
  app.add_option("--rounds", settings.rounds, "steps of each row that count")->check(CLI::PositiveNumber);
  app.add_flag("--per-operation", settings.per_operation, "also where each row's time goes");
  app.add_option("--serve-peer", served, "what this program starts itself with for oneDNN's product");
  CLI11_PARSE(app, argc, argv);
  try {
    if (!served.empty()) return serve_peer(kernels::parse_isa(served).value());
    return run(settings);
  } catch (const std::exception& error) {
    std::cerr << "bench_training: " << error.what() << "\n";
    return 1;
  }
}
