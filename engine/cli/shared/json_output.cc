// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/shared/json_output.h"

#include <iostream>

namespace bitplane::cli {

bool is_utf8(const std::string& text) {
  try {
    static_cast<void>(Json(text).dump());
    return true;
  } catch (const Json::type_error&) {
    return false;
  }
}

void print_json(const Json& value) {
  std::cout << value.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
}

}  // namespace bitplane::cli
