// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <memory>

#include "bitplane/kernels/registry.h"
#include "engine/cli/commands.h"
#include "engine/cli/options.h"
#include "engine/cli/shared/table.h"

namespace bitplane::cli {
namespace {

ExitCode list_kernels(Format format) {
  const kernels::CpuFeatures cpu = kernels::detect_cpu();
  Table table({{"kernel"}, {"family"}, {"isa"}, {"tile"}, {"this CPU"}});
  Json list = Json::array();
  for (const kernels::KernelInfo& kernel : kernels::registry()) {
    const bool present = cpu.has(kernel.isa);
    const auto family = kernels::family_name(kernel.family), isa = kernels::isa_name(kernel.isa);
    table.add({std::string(kernel.name), std::string(family), std::string(isa), std::string(kernel.tile),
               present ? "yes" : "no"});
    list.push_back({{"kernel", kernel.name},
                    {"family", family},
                    {"isa", isa},
                    {"tile", kernel.tile},
                    {"present", present}});
  }
  if (format == Format::JsonDocument) {
    print_json(list);
  } else {
    table.print(std::cout);
  }
  return ExitCode::Ok;
}

}  // namespace

Action declare_kernels(CLI::App& app) {
  auto format = std::make_shared<Format>(Format::Text);
  add_json(app, *format);
  return [format] { return list_kernels(*format); };
}

}  // namespace bitplane::cli
