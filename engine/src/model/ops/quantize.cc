// SPDX-License-Identifier: Apache-2.0
#include "model/ops/quantize.h"

#include <algorithm>
#include <string>
#include <vector>

#include "io/text.h"

namespace bitplane::engine {
namespace {

void check_thresholds(Checks& checks, const Quantize& op) {
  checks.size("thresholds", op.thresholds.size(), levels_of(op.bits) - 1);
  checks.finite("thresholds", op.thresholds);
  const auto end = op.thresholds.end();
  const auto sorted_until = std::is_sorted_until(op.thresholds.begin(), end);
  if (sorted_until == end) return;
  checks.fail("thresholds[" + std::to_string(sorted_until - op.thresholds.begin()) + "] is " +
              number_text(*sorted_until) + ", below the one before it; they must ascend");
}

void check_codes(Checks& checks, const Quantize& op) {
  const std::size_t levels = levels_of(op.bits);
  checks.size("code_of_rank", op.code_of_rank.size(), levels);
  std::vector<bool> seen(levels);
  for (const std::uint8_t code : op.code_of_rank) {
    if (code >= levels || seen[code]) {
      return checks.fail("code_of_rank holds " + std::to_string(code) + (code < levels ? " twice" : "") +
                         "; it must be a permutation of 0 to " + std::to_string(levels - 1));
    }
    seen[code] = true;
  }
}

}  // namespace

Result<NodeFact> check(const Quantize& op, std::span<const NodeFact> inputs) {
  Checks checks;
  checks.float_input(inputs[0]);
  checks.range("bits", op.bits, 1, kMaxActivationBits);
  if (!checks.ok()) return checks.status();
  check_basis(checks, op.basis, {op.encoding, op.bits, 1});
  if (!checks.ok()) return checks.status();
  // 0 means no offset, which a scale of 0 permits.
  checks.finite("offset", std::span(&op.offset, 1));
  if (op.offset != 0.0F) check_offset(checks, std::span(&op.offset, 1), op.basis);
  check_thresholds(checks, op);
  check_codes(checks, op);
  return fact_or(checks, {inputs[0].shape, &op});
}

Result<NodeFact> check(const Dequantize&, std::span<const NodeFact> inputs) {
  Checks checks;
  if (inputs[0].quantizer == nullptr) {
    checks.fail("its input holds floats; it must hold the codes of a quantize node");
  }
  return fact_or(checks, {inputs[0].shape, nullptr});
}

}  // namespace bitplane::engine
