// SPDX-License-Identifier: Apache-2.0
#include "bitplane/status.h"

namespace bitplane::engine {

std::string_view status_code_name(StatusCode code) noexcept {
  switch (code) {
    case StatusCode::Ok:
      return "ok";
    case StatusCode::NotFound:
      return "not found";
    case StatusCode::InvalidArgument:
      return "invalid argument";
    case StatusCode::InvalidFile:
      return "invalid file";
    case StatusCode::Unsupported:
      return "unsupported";
    case StatusCode::OutOfMemory:
      return "out of memory";
    case StatusCode::IoError:
      return "i/o error";
  }
  return "unknown";
}

}  // namespace bitplane::engine
