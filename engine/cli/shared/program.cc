// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/shared/program.h"

#include <cstdio>
#include <exception>
#include <iostream>
#include <new>
#include <string>
#include <system_error>
#include <vector>

#include "engine/cli/shared/errors.h"
#include "engine/cli/shared/help.h"
#include "engine/cli/shared/usage_errors.h"
#include "engine/cli/shared/version.h"

namespace bitplane::cli {
namespace {

ExitCode fail(const Program& program, ExitCode code, std::string_view message) noexcept {
  // stdio: it works when memory is out and when std::cerr was never used.
  std::fprintf(stderr, "%.*s: error: ", static_cast<int>(program.name.size()), program.name.data());
  for (const char c : message) std::fputc(c == '\n' || c == '\r' ? ' ' : c, stderr);
  std::fputc('\n', stderr);
  return code;
}

struct DeclaredSubcommand {
  CLI::App* app;
  Action action;
};

std::vector<DeclaredSubcommand> declare(const Program& program, CLI::App& app) {
  std::vector<DeclaredSubcommand> declared;
  for (const Subcommand& subcommand : program.subcommands) {
    CLI::App* sub = app.add_subcommand(std::string(subcommand.name), std::string(subcommand.summary));
    sub->formatter(std::make_shared<ExamplesFirst>(std::string(subcommand.examples)));
    declared.push_back({sub, subcommand.declare(*sub)});
  }
  return declared;
}

ExitCode parse_and_run(const Program& program, int argc, const char* const* argv) {
  CLI::App app{std::string(program.summary), std::string(program.name)};
  app.formatter(std::make_shared<ExamplesFirst>(std::string(program.examples)));
  app.footer(exit_code_help());
  bool version = false, json = false;
  app.require_subcommand(0, 1);
  app.add_flag("--version", version, "versions and instruction sets, then exit");
  app.add_flag("--json", json, "with --version: as JSON");
  const auto declared = declare(program, app);
  refuse_unknown_subcommand(app, argc, argv);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    const auto chosen = app.get_subcommands();
    std::cout << (chosen.empty() ? app.help() : chosen.front()->help(app.get_name()));
    return ExitCode::Ok;
  } catch (const CLI::ParseError& error) {
    throw usage_error(app, error);
  }
  if (version) {
    print_version(program.name, json ? Format::JsonDocument : Format::Text);
    return ExitCode::Ok;
  }
  for (const auto& [sub, action] : declared) {
    if (!sub->parsed()) continue;
    if (json) throw misplaced_flag(*sub, "--json");
    return action();
  }
  throw no_subcommand(app);
}

ExitCode run_and_flush(const Program& program, int argc, const char* const* argv) {
  const ExitCode code = parse_and_run(program, argc, argv);
  std::cout.flush();
  if (!std::cout) {
    throw CommandError(ExitCode::SystemRefused,
                       "the results could not be written to standard output; is the disk full?");
  }
  return code;
}

}  // namespace

int run_program(const Program& program, int argc, const char* const* argv) noexcept {
  const auto guarded = [&]() noexcept {
    try {
      return run_and_flush(program, argc, argv);
    } catch (const CommandError& error) {
      return fail(program, error.code(), error.what());
    } catch (const std::bad_alloc&) {
      return fail(program, ExitCode::SystemRefused, "not enough memory");
    } catch (const std::system_error& error) {
      return fail(program, ExitCode::SystemRefused, error.what());
    } catch (const std::exception& error) {
      return fail(program, ExitCode::Unexpected, error.what());
    } catch (...) {
      return fail(program, ExitCode::Unexpected, "an exception of unknown type");
    }
  };
  return static_cast<int>(guarded());
}

void note(std::string_view text) {
  std::cerr << "note: " << text << '\n';
}

}  // namespace bitplane::cli
