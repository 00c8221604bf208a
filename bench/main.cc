// SPDX-License-Identifier: Apache-2.0
//
// bench: every kernel of the registry, the machine's peaks and the peers, in one table. See --help.
#include <sched.h>

#include <cstdio>
#include <exception>
#include <fstream>
#include <iostream>
#include <regex>
#include <stdexcept>

#include "case.h"
#include "options.h"
#include "peer/peer_cases.h"
#include "peer/peer_list.h"
#include "runner.h"
#include "selection.h"
#include "table/compare.h"
#include "table/json.h"
#include "table/markdown.h"

namespace {

using namespace bitplane::bench;

enum ExitCode { kFine = 0, kWrongAnswer = 1, kBadUsage = 2, kRegression = 3 };

/// Returns the processor; peers started later inherit it.
int stay_on_one_cpu(int cpu) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  sched_getaffinity(0, sizeof allowed, &allowed);
  for (int candidate = CPU_SETSIZE - 1; cpu < 0 && candidate >= 0; --candidate) {
    if (CPU_ISSET(candidate, &allowed)) cpu = candidate;
  }
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  if (sched_setaffinity(0, sizeof one, &one) != 0)
    throw std::invalid_argument("--cpu " + std::to_string(cpu) + ": this process may not run there");
  return cpu;
}

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown processor";
}

std::vector<Case> make_cases(const Options& options) {
  std::vector<Case> cases;
  const Selection& selection = options.selection;
  if (options.peers == Options::Peers::Run) add_peer_cases(selection, cases);
  add_lowbit_cases(selection, cases);
  add_packing_cases(selection, cases);
  add_float_cases(selection, cases);
  add_bf16_cases(selection, cases);
  add_codebook_cases(selection, cases);
  if (options.peers == Options::Peers::Leave)
    std::erase_if(cases, [](const Case& c) { return is_peer(c.row); });
  if (!options.filter.empty()) {
    const std::regex pattern(options.filter);
    std::erase_if(cases, [&](const Case& c) { return !std::regex_search(row_name(c.row.key), pattern); });
  }
  add_peak_cases(selection, cases);
  return cases;
}

std::vector<std::string> notes_of(const Options& options, int cpu) {
  std::vector<std::string> notes{
      "Processor " + std::to_string(cpu) + "; medians of " + std::to_string(options.run.repetitions) +
      " interleaved repetitions, CPU time; +- is half of the interquartile range. MACs "
      "are those inside the picture."};
  if (options.peers == Options::Peers::Run && !peers_are_built())
    notes.push_back("oneDNN rows are missing: it was not found when this was built (Debian: libdnnl-dev).");
  return notes;
}

void write_text(const std::string& text, const std::string& path) {
  if (path.empty()) {
    std::cout << text;
    return;
  }
  std::ofstream file(path);
  file << text;
  if (!file.flush()) throw std::runtime_error(path + ": cannot be written");
}

int run(const Options& options) {
  const int cpu = stay_on_one_cpu(options.cpu);
  Table before;
  if (!options.compare.empty()) before = read_json(options.compare);  // a wrong path fails now
  if (options.action == Options::Action::Selection) {
    write_text(selection_report(options.selection, options.filter), options.markdown);
    return kFine;
  }
  const std::vector<Case> cases = make_cases(options);
  if (options.action == Options::Action::List) {
    for (const Case& c : cases) std::cout << row_name(c.row.key) << "\n";
    return kFine;
  }
  std::vector<std::string> errors;
  Table table{.machine = processor_name(), .notes = notes_of(options, cpu), .rows = {}};
  table.rows = run_cases(cases, options.run, errors);
  for (const std::string& note : table.notes) std::cerr << note << "\n";
  write_text(markdown(table), options.markdown);
  if (!options.json.empty()) write_json(table, options.json);
  for (const std::string& error : errors) std::cerr << "FAILED " << error << "\n";
  if (!errors.empty()) return kWrongAnswer;
  if (options.compare.empty()) return kFine;
  const Comparison comparison = compare(before, table);
  std::cerr << comparison_text(comparison);
  if (comparison.compared == 0)
    throw std::runtime_error(options.compare + ": no row in common with this run");
  return comparison.regressions.empty() ? kFine : kRegression;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Options options = parse_options(argc, argv);
    if (options.serve_peer) return serve_peer(*options.serve_peer);
    if (options.action != Options::Action::Help) return run(options);
    std::cout << help_text();
    return kFine;
  } catch (const std::invalid_argument& error) {
    std::cerr << "bench: " << error.what() << "\n";
    return kBadUsage;
  } catch (const std::exception& error) {
    std::cerr << "bench: " << error.what() << "\n";
    return kWrongAnswer;
  }
}
