// SPDX-License-Identifier: Apache-2.0
//
// Which ISAs a test of one family of kernels is about: those that the registry has a kernel for. A level that
// was built and cannot run on this machine stays in the list, so that its test says that it is skipped.
#pragma once

#include <ostream>
#include <vector>

#include "bitplane/kernels/isa.h"
#include "bitplane/kernels/registry.h"

namespace bitplane::kernels {

inline void PrintTo(const IsaInfo& info, std::ostream* out) {
  *out << info.name;
}

/// What this machine runs, with the permission to run it.
inline CpuFeatures test_cpu() {
  return permitted(detect_cpu());
}

inline bool family_has(Family family, Isa isa) {
  for (const KernelInfo& info : registry()) {
    if (info.family == family && info.isa == isa) return true;
  }
  return false;
}

/// In the order of kIsas.
inline std::vector<IsaInfo> built_isas(Family family) {
  std::vector<IsaInfo> isas;
  for (const IsaInfo& info : kIsas) {
    if (family_has(family, info.isa)) isas.push_back(info);
  }
  return isas;
}

/// The same without those that cannot run here.
inline std::vector<IsaInfo> runnable_isas(Family family) {
  std::vector<IsaInfo> isas;
  for (const IsaInfo& info : built_isas(family)) {
    if (test_cpu().has(info.isa)) isas.push_back(info);
  }
  return isas;
}

}  // namespace bitplane::kernels
