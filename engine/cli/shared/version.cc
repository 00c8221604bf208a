// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/shared/version.h"

#include <iostream>
#include <string>
#include <vector>

#include "bitplane/kernels/isa.h"
#include "bitplane/model_spec.h"

namespace bitplane::cli {

std::string_view version() noexcept {
  return BITPLANE_VERSION;
}

void print_version(std::string_view program, Format format) {
  std::vector<std::string> built, present;
  const kernels::CpuFeatures cpu = kernels::detect_cpu();
  for (const kernels::IsaInfo& info : kernels::kIsas) {
    if (kernels::isa_is_built(info.isa)) built.emplace_back(info.name);
    if (cpu.has(info.isa)) present.emplace_back(info.name);
  }
  if (format == Format::JsonDocument) {
    print_json({{"program", program},
                {"version", version()},
                {"format_version", engine::kFormatVersion},
                {"isas_built", built},
                {"isas_present", present}});
    return;
  }
  std::cout << program << ' ' << version() << "\nmodel format version " << engine::kFormatVersion;
  const auto print_list = [](std::string_view title, const std::vector<std::string>& names) {
    std::cout << '\n' << title;
    for (const std::string& name : names) std::cout << ' ' << name;
  };
  print_list("instruction sets built:  ", built);
  print_list("instruction sets present:", present);
  std::cout << '\n';
}

}  // namespace bitplane::cli
