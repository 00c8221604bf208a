// SPDX-License-Identifier: Apache-2.0
//
// The engine's outermost functions throw nothing: what the C++ library throws inside them becomes a Status
// here.
#pragma once

#include <exception>
#include <new>
#include <utility>

#include "bitplane/status.h"

namespace bitplane::engine {

/// Runs `body`, which returns a Status or a Result. The messages fit std::string's own buffer: no allocation.
template <class Body>
auto no_throw(Body&& body) -> decltype(body()) {
  try {
    return std::forward<Body>(body)();
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::OutOfMemory, "out of memory");
  } catch (const std::exception&) {  // length_error: a size beyond what a container can hold
    return Status(StatusCode::OutOfMemory, "too large");
  }
}

}  // namespace bitplane::engine
