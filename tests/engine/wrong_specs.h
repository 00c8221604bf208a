// SPDX-License-Identifier: Apache-2.0
//
// Specs that are wrong in one way each, for the tests of validate().
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "bitplane/model_spec.h"

namespace bitplane::engine::testing {

struct Wrong {
  std::string says;  ///< part of the reason
  std::function<void(ModelSpec&)> change;
  StatusCode code = StatusCode::InvalidArgument;
};

/// validate() refuses `good` with each of the changes.
inline void expect_refused(const ModelSpec& good, std::span<const Wrong> wrongs) {
  for (const Wrong& wrong : wrongs) {
    SCOPED_TRACE(wrong.says);
    ModelSpec spec = good;
    wrong.change(spec);
    const Result<std::vector<NodeShape>> shapes = validate(spec);
    ASSERT_FALSE(shapes.ok());
    EXPECT_EQ(shapes.status().code(), wrong.code);
    EXPECT_NE(shapes.status().message().find(wrong.says), std::string::npos)
        << "said: " << shapes.status().message();
  }
}

}  // namespace bitplane::engine::testing
