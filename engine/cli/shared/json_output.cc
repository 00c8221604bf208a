// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/shared/json_output.h"

#include <iostream>

namespace bitplane::cli {

void print_json(const Json& value) {
  std::cout << value.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
}

}  // namespace bitplane::cli
