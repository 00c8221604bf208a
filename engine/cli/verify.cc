// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bitplane/model_spec.h"
#include "engine/cli/commands.h"
#include "engine/cli/isa_check.h"
#include "engine/cli/options.h"
#include "engine/cli/shared/errors.h"
#include "engine/cli/shared/number_text.h"
#include "engine/cli/trace_check.h"

namespace bitplane::cli {
namespace {

struct VerifyOptions {
  ModelOptions model;
  std::string trace, data_dir;
  Format format = Format::Text;
};

/// The file's own pair on every instruction set asked for.
struct SelfTest {
  bool in_file = false;
  std::vector<std::string> isas;
  std::string difference;  ///< empty: none
};

struct Report {
  SelfTest self_test;
  std::vector<VariantCheck> variants;
  std::string trace_path;
  std::string dataset;
  std::optional<TraceCheck> trace;

  /// In words, or empty when everything is equal.
  [[nodiscard]] std::string first_difference() const {
    if (!self_test.difference.empty()) return self_test.difference;
    for (const VariantCheck& check : variants) {
      if (!check.passed()) return check.variant + " differs from scalar: first in " + check.first_difference;
    }
    if (trace && !trace->passed()) {
      return "the engine differs from the trainer's trace " + trace_path + ": first in " +
             trace->first_difference();
    }
    return "";
  }
};

SelfTest run_self_test(const engine::Model& model, engine::SessionOptions options) {
  SelfTest test{.in_file = !model.spec().golden.output.empty(),
                .isas = options.isa.empty() ? present_isas() : std::vector<std::string>{options.isa},
                .difference = ""};
  if (!test.in_file) return test;
  for (const std::string& isa : test.isas) {
    options.isa = isa;
    const engine::Status status = engine::self_test(model, options);
    // An invalid file: its output is another. What else there is means that there was no test.
    if (status.code() != engine::StatusCode::InvalidFile) check(status);
    if (!status.ok() && test.difference.empty()) test.difference = "on " + isa + ": " + status.message();
  }
  return test;
}

std::string counts(std::size_t equal, std::size_t all) {
  return std::to_string(equal) + "/" + std::to_string(all);
}

void print_trace(const TraceCheck& trace) {
  std::cout << "predictions " << counts(trace.predictions_equal, trace.pictures) << " equal\nlogits      "
            << counts(trace.logits_equal, trace.pictures) << " pictures equal, bit for bit\n";
  for (const LayerCheck& result : trace.layers) {
    const engine::data::TraceLayer& layer = result.layer;
    std::cout << "codes       " << counts(result.equal, trace.pictures) << " pictures equal in " << layer.name
              << " (" << shape_text({layer.height, layer.width, layer.channels}) << ")\n";
  }
  const auto all = static_cast<double>(trace.pictures);
  std::cout << "accuracy    engine " << percent(static_cast<double>(trace.engine_correct) / all)
            << ", trainer " << percent(static_cast<double>(trace.trainer_correct) / all) << '\n';
}

void print_as_text(const Report& report) {
  std::cout << "self-test   ";
  if (!report.self_test.in_file) {
    std::cout << "none in this file";
  } else if (!report.self_test.difference.empty()) {
    std::cout << "failed " << report.self_test.difference;
  } else {
    std::cout << "output equal to the file's on";
    for (const std::string& isa : report.self_test.isas) std::cout << ' ' << isa;
  }
  std::cout << '\n';
  for (const VariantCheck& check : report.variants) {
    std::cout << "isa         " << counts(check.equal, check.pictures)
              << " drawn pictures equal to scalar on " << check.variant << '\n';
  }
  if (report.trace) {
    std::cout << "trace       " << report.trace_path << ": " << report.dataset << ", "
              << report.trace->pictures << " test pictures\n";
    print_trace(*report.trace);
  }
}

Json trace_json(const Report& report) {
  const TraceCheck& trace = *report.trace;
  Json layers = Json::array();
  for (const LayerCheck& result : trace.layers) {
    const engine::data::TraceLayer& layer = result.layer;
    Json entry{{"layer", layer.name},
               {"shape", {layer.height, layer.width, layer.channels}},
               {"equal", result.equal}};
    if (result.first)
      entry["first"] = {{"picture", result.first->picture}, {"channel", result.first->channel}};
    layers.push_back(std::move(entry));
  }
  return {{"file", report.trace_path},
          {"data", report.dataset},
          {"pictures", trace.pictures},
          {"predictions_equal", trace.predictions_equal},
          {"logits_equal", trace.logits_equal},
          {"codes", layers},
          {"engine_correct", trace.engine_correct},
          {"trainer_correct", trace.trainer_correct}};
}

void print_as_json(const Report& report) {
  Json variants = Json::array();
  for (const VariantCheck& check : report.variants) {
    variants.push_back({{"variant", check.variant}, {"pictures", check.pictures}, {"equal", check.equal}});
  }
  Json all{{"passed", report.first_difference().empty()},
           {"first_difference", report.first_difference()},
           {"self_test", !report.self_test.in_file             ? "none"
                         : report.self_test.difference.empty() ? "passed"
                                                               : "failed"},
           {"isas", report.self_test.isas},
           {"against_scalar", variants}};
  if (report.trace) all["trace"] = trace_json(report);
  print_json(all);
}

ExitCode verify(const VerifyOptions& options) {
  if (options.trace.empty() && !options.data_dir.empty()) {
    throw CommandError(
        ExitCode::BadUsage,
        "--data-dir " + options.data_dir +
            ": that is the folder of a trace's data set; give --trace FILE too, or leave it out");
  }
  const auto model = load_model(options.model.path);
  Report report;
  if (!options.trace.empty()) {
    const auto trace = take(engine::data::read_trace(options.trace));
    report.trace_path = options.trace;
    report.dataset = trace.header.dataset;
    const auto set =
        load_test_set({.name = report.dataset, .dir = options.data_dir, .other = OtherData::Accept}, model);
    report.trace = check_trace(model, session_options(options.model), trace, set);
  }
  report.self_test = run_self_test(model, session_options(options.model));
  report.variants = check_variants(model, session_options(options.model));
  if (options.format == Format::JsonDocument) {
    print_as_json(report);
  } else {
    print_as_text(report);
  }
  const std::string difference = report.first_difference();
  if (!difference.empty()) throw CommandError(ExitCode::CheckFailed, difference);
  return ExitCode::Ok;
}

}  // namespace

Action declare_verify(CLI::App& app) {
  auto options = std::make_shared<VerifyOptions>();
  add_model(app, options->model);
  app.add_option("--trace", options->trace,
                 "file of `trainer eval --trace`: compare with it, picture by picture");
  app.add_option("--data-dir", options->data_dir,
                 "folder of the trace's data set (default: where its package puts it)");
  add_threads(app, options->model);
  add_kernel_choice(app, options->model);
  add_json(app, options->format);
  return [options] { return verify(*options); };
}

}  // namespace bitplane::cli
