// SPDX-License-Identifier: Apache-2.0
#include "trainer/procedures/procedure.h"

#include <array>
#include <stdexcept>

#include "trainer/procedures/rows.h"

namespace bitplane::train {
namespace {

constexpr std::array kProcedures{&kTsqProcedure,  &kQilProcedure, &kGdrqProcedure, &kSlqProcedure,
                                 &kEslqProcedure, &kMlqProcedure, &kInqProcedure,  &kTtqProcedure};

}  // namespace

std::span<const ProcedureInfo* const> procedures() noexcept {
  return kProcedures;
}

const ProcedureInfo& find_procedure(std::string_view method) {
  std::string known;
  for (const ProcedureInfo* procedure : kProcedures) {
    if (procedure->method == method) return *procedure;
    known += (known.empty() ? "" : ", ") + std::string(procedure->method);
  }
  const MethodInfo& info = find_method(method);  // throws for a name that is no method
  throw std::invalid_argument("method '" + std::string(info.name) + "' has no procedure from a float net (" +
                              known + " have one): train it with `trainer train --method " +
                              std::string(info.name) + "`");
}

}  // namespace bitplane::train
