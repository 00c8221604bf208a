// SPDX-License-Identifier: Apache-2.0
#include "lowering/passes.h"

namespace bitplane::engine {

void lay_out_planes(const ModelSpec& spec, Program& program) {
  for (const Step& step : program.steps) {
    Value& codes = program.values[step.in];
    if (codes.form == ValueForm::Planes) codes.groups = convolution_shape(spec, program, step).groups;
  }
}

}  // namespace bitplane::engine
