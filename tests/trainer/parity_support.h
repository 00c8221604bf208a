// SPDX-License-Identifier: Apache-2.0
//
// The trainer's evaluation of a set of pictures, and whether the engine gives the same bits.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "bitplane/engine.h"
#include "engine/data/dataset.h"
#include "trainer/evaluation/evaluator.h"

namespace bitplane::train::testing {

/// What the trainer's evaluation saw on one picture.
struct Observation {
  std::vector<float> logits;
  std::vector<std::vector<std::uint8_t>> codes;
};

inline std::vector<Observation> observe(const Evaluator& evaluator, const engine::data::PictureSet& set) {
  Evaluator::Worker worker(evaluator);
  std::vector<Observation> seen(set.count);
  for (std::size_t i = 0; i < set.count; ++i) {
    evaluator.run(set.picture(i), worker);
    seen[i].logits.assign(worker.logits().begin(), worker.logits().end());
    for (std::size_t q = 0; q < evaluator.quantizers().size(); ++q) {
      seen[i].codes.emplace_back(worker.codes(q).begin(), worker.codes(q).end());
    }
  }
  return seen;
}

/// The same codes at every quantizer and the same logits, bit for bit.
inline void expect_engine_agrees(const engine::Model& model, std::string_view isa,
                                 const engine::data::PictureSet& set, const Evaluator& evaluator,
                                 const std::vector<Observation>& seen) {
  auto session = engine::Session::create(
      model, {.batch = 1, .threads = 1, .isa = std::string(isa), .capture_codes = true});
  ASSERT_TRUE(session.ok()) << session.status().message();
  ASSERT_EQ(session->quantizers().size(), evaluator.quantizers().size());
  for (std::size_t q = 0; q < evaluator.quantizers().size(); ++q) {
    ASSERT_EQ(session->quantizers()[q], evaluator.quantizers()[q].name);
  }
  for (std::size_t i = 0; i < set.count; ++i) {
    ASSERT_TRUE(session->run(set.picture(i)).ok());
    for (std::size_t q = 0; q < seen[i].codes.size(); ++q) {
      ASSERT_TRUE(std::equal(seen[i].codes[q].begin(), seen[i].codes[q].end(), session->codes(q).begin(),
                             session->codes(q).end()))
          << "picture " << i << ", codes of " << session->quantizers()[q];
    }
    const auto logits = session->output();
    ASSERT_EQ(logits.size(), seen[i].logits.size());
    ASSERT_EQ(std::memcmp(logits.data(), seen[i].logits.data(), logits.size_bytes()), 0) << "picture " << i;
  }
}

}  // namespace bitplane::train::testing
