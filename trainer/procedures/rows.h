// SPDX-License-Identifier: Apache-2.0
//
// The rows of the list, each defined in the file of its procedure.
#pragma once

#include "trainer/procedures/procedure.h"

namespace bitplane::train {

extern const ProcedureInfo kGdrqProcedure;
extern const ProcedureInfo kQilProcedure;
extern const ProcedureInfo kTsqProcedure;
extern const ProcedureInfo kSlqProcedure;
extern const ProcedureInfo kEslqProcedure;
extern const ProcedureInfo kMlqProcedure;
extern const ProcedureInfo kInqProcedure;
extern const ProcedureInfo kTtqProcedure;

}  // namespace bitplane::train
