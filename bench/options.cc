// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <algorithm>
#include <charconv>
#include <span>
#include <sstream>
#include <stdexcept>

namespace bitplane::bench {
namespace {

using kernels::Isa;

constexpr std::string_view kGroups[] = {"gemm", "vector", "conv", "packing", "epilogue", "f32", "peaks"};

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> parts;
  std::istringstream in(list);
  for (std::string part; std::getline(in, part, ',');) parts.push_back(part);
  return parts;
}

Isa runnable_isa(const std::string& name) {
  const std::optional<Isa> isa = kernels::parse_isa(name);
  if (!isa) {
    std::string known;
    for (const kernels::IsaInfo& info : kernels::kIsas) known += " " + std::string(info.name);
    throw std::invalid_argument("'" + name + "' is no instruction set; there are" + known);
  }
  if (kernels::resolve_isa(name).error != kernels::IsaError::None)
    throw std::invalid_argument(name + " cannot run on this machine");
  return *isa;
}

/// Everything that runs here but scalar, whose rows would take most of the time and say little.
std::vector<Isa> default_isas() {
  std::vector<Isa> isas;
  for (const kernels::IsaInfo& info : kernels::kIsas) {
    if (info.isa != Isa::Scalar && kernels::resolve_isa(info.name).error == kernels::IsaError::None)
      isas.push_back(info.isa);
  }
  return isas.empty() ? std::vector{Isa::Scalar} : isas;
}

std::string group_names() {
  std::string names;
  for (const std::string_view name : kGroups) names += " " + std::string(name);
  return names;
}

std::vector<std::string> known_groups(const std::string& list) {
  std::vector<std::string> groups = split(list);
  for (const std::string& group : groups) {
    if (std::find(std::begin(kGroups), std::end(kGroups), group) != std::end(kGroups)) continue;
    throw std::invalid_argument("'" + group + "' is no group of rows; there are" + group_names());
  }
  return groups;
}

int whole_number(const std::string& flag, const std::string& text, int least) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least)
    throw std::invalid_argument(flag + " wants a whole number from " + std::to_string(least) + ", not '" +
                                text + "'");
  return value;
}

struct Flag {
  std::string_view name, value, what;
  void (*set)(Options&, const std::string& flag, const std::string& value);
};

constexpr Flag kFlags[] = {
    {"--rows", "LIST", "groups of rows (below); default all",
     [](Options& o, const std::string&, const std::string& v) { o.selection.groups = known_groups(v); }},
    {"--isa", "LIST", "instruction sets, as in 'avx2,avx512'; default all that run here but scalar",
     [](Options& o, const std::string&, const std::string& v) {
       o.selection.isas.clear();
       for (const std::string& name : split(v)) o.selection.isas.push_back(runnable_isa(name));
     }},
    {"--filter", "REGEX", "only rows whose names (see --list) match",
     [](Options& o, const std::string&, const std::string& v) { o.filter = v; }},
    {"--repetitions", "N", "of every row, interleaved at random; default 5",
     [](Options& o, const std::string& f, const std::string& v) {
       o.run.repetitions = whole_number(f, v, 1);
     }},
    {"--milliseconds", "N", "at least so long per repetition; default 20",
     [](Options& o, const std::string& f, const std::string& v) {
       o.run.seconds_per_repetition = whole_number(f, v, 1) * 1e-3;
     }},
    {"--cpu", "N", "the processor to stay on; default the last one allowed",
     [](Options& o, const std::string& f, const std::string& v) { o.cpu = whole_number(f, v, 0); }},
    {"--json", "FILE", "write everything, to be read by --compare",
     [](Options& o, const std::string&, const std::string& v) { o.json = v; }},
    {"--markdown", "FILE", "write the table there; default standard output",
     [](Options& o, const std::string&, const std::string& v) { o.markdown = v; }},
    {"--compare", "OLD.json", "exit with 3 if a row is slower than in OLD.json beyond the noise of both runs",
     [](Options& o, const std::string&, const std::string& v) { o.compare = v; }},
    {"--no-peers", "", "leave out oneDNN and Eigen",
     [](Options& o, const std::string&, const std::string&) { o.peers = Options::Peers::Leave; }},
    {"--list", "", "print the names of the rows and exit",
     [](Options& o, const std::string&, const std::string&) { o.action = Options::Action::List; }},
    {"--selection", "",
     "instead of the table: is what selection takes, by cost and by autotune, within 10 % of the best "
     "kernel?",
     [](Options& o, const std::string&, const std::string&) { o.action = Options::Action::Selection; }},
    {"--help", "", "print this and exit",
     [](Options& o, const std::string&, const std::string&) { o.action = Options::Action::Help; }},
    {"--serve-peer", "ISA", "what the benchmark starts itself with, once per instruction set of oneDNN",
     [](Options& o, const std::string&, const std::string& v) { o.serve_peer = runnable_isa(v); }},
};

}  // namespace

Options parse_options(int argc, char** argv) {
  Options options;
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i].starts_with("--benchmark_")) {
      options.run.benchmark_flags.push_back(arguments[i]);
      continue;
    }
    const std::size_t equals = arguments[i].find('=');
    const std::string name = arguments[i].substr(0, equals);
    const auto* const flag =
        std::find_if(std::begin(kFlags), std::end(kFlags), [&](const Flag& f) { return f.name == name; });
    if (flag == std::end(kFlags))
      throw std::invalid_argument("'" + arguments[i] + "' is no option; see bench --help");
    std::string value;
    if (equals != std::string::npos) {
      value = arguments[i].substr(equals + 1);
    } else if (!flag->value.empty()) {
      if (++i == arguments.size()) throw std::invalid_argument(name + " wants a value");
      value = arguments[i];
    }
    flag->set(options, name, value);
  }
  // Not before: who wants less than amx must not ask for its permission (kernels/isa.h).
  const bool runs = options.action != Options::Action::Help && !options.serve_peer;
  if (runs && options.selection.isas.empty()) options.selection.isas = default_isas();
  return options;
}

std::string help_text() {
  std::string text =
      "Times every kernel of the registry, checks its answers first, and prints a Markdown table.\n"
      "Flags of Google Benchmark (--benchmark_...) are passed on.\n\n";
  for (const Flag& flag : kFlags) {
    std::string left = "  " + std::string(flag.name) + " " + std::string(flag.value);
    left.resize(std::max<std::size_t>(left.size() + 1, 24), ' ');
    text += left + std::string(flag.what) + "\n";
  }
  text += "\nGroups of rows:" + group_names() + "\n";
  return text;
}

}  // namespace bitplane::bench
