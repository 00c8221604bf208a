// SPDX-License-Identifier: Apache-2.0
// Every installed header, linked against the installed archive.
#include <bitplane/c_api.h>
#include <bitplane/engine.h>
#include <bitplane/model_spec.h>
#include <bitplane/safetensors.h>
#include <bitplane/status.h>
#include <bitplane/values.h>

#include <cstdio>

int main() {
  using namespace bitplane::engine;
  if (validate(ModelSpec{}).ok() || parse_safetensors({}).ok() || status_code_name(StatusCode::Ok) != "ok" ||
      zero_byte(0.5F))
    return 1;
  std::printf("format %d\n", kFormatVersion);
}
