// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/shared/number_flags.h"

namespace bitplane::cli {
namespace {

template <class Range, class Set>
CLI::Option* declare(CLI::App& app, const NumberFlag<Range>& flag, const Set& set, const char* type) {
  const auto read = [name = flag.name, range = flag.range, set](const std::string& text) {
    const auto number = parse_number(text, range);
    if (!number) {
      throw CLI::ValidationError(name + " is '" + text + "': it takes " + wanted_text(range));
    }
    set(*number);
  };
  const std::string ends = range_text(flag.range);
  const bool shown = !flag.help.empty() && !ends.empty();
  return app.add_option_function<std::string>(flag.name, read, flag.help + (shown ? " (" + ends + ")" : ""))
      ->type_name(type);
}

}  // namespace

CLI::Option* declare_number(CLI::App& app, const WholeFlag& flag,
                            const std::function<void(std::uint64_t)>& set) {
  return declare(app, flag, set, "UINT");
}

CLI::Option* declare_number(CLI::App& app, const RealFlag& flag, const std::function<void(double)>& set) {
  return declare(app, flag, set, "FLOAT");
}

WholeFlag threads_flag(const std::string& help, std::uint64_t least) {
  return {.name = "--threads", .help = help, .range = {.least = least, .most = kMaxThreads}};
}

}  // namespace bitplane::cli
