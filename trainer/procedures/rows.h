// SPDX-License-Identifier: Apache-2.0
//
// The rows of the list, each defined in the file of its procedure.
#pragma once

#include "trainer/procedures/procedure.h"

namespace bitplane::train {

extern const ProcedureInfo kGdrqProcedure;
extern const ProcedureInfo kQilProcedure;
extern const ProcedureInfo kTsqProcedure;

}  // namespace bitplane::train
