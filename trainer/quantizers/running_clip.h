// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "trainer/quantizers/quantizer.h"

namespace bitplane::train {

enum class ClipRange : std::uint8_t {
  Positive,  ///< codes 0 .. 2^n - 1 of [0, T]: behind a ReLU
  Signed,    ///< codes -(2^(n-1) - 1) .. 2^(n-1) - 1 of [-T, T]
};

struct RunningClipOptions {
  std::size_t bits = 8;
  ClipRange range = ClipRange::Positive;
};

/// Uniform activations below a clip T that follows their mean (GDRQ: Yu, Wen, Cheng, Sun, Han, Shi, "GDRQ:
/// group-based distribution reshaping for quantization", 2019):
///
///   T         (1 - 0.01) T + 0.01 * 4 mean|x| of the whole batch, before the batch is quantized; the first
///             batch sets it. Not learned by gradient; it stays where it is in evaluation.
///   forward   s = T / (number of positive codes), k = floor(min(x, T) / s + 1/2): the upper level at a tie
///   backward  1 for 0 < x < T (Signed: |x| < T), else 0
///
/// T = 0: all codes are 0.
class RunningClip final : public ActivationQuantizer {
 public:
  /// Throws std::invalid_argument when bits are not 2..8.
  explicit RunningClip(const RunningClipOptions& options);

  [[nodiscard]] std::string_view name() const noexcept override;
  [[nodiscard]] std::size_t bits() const noexcept override { return options_.bits; }
  void visit_state(const std::string& prefix, const StateVisitor& visitor) override;
  [[nodiscard]] ThresholdTable table() const override;
  [[nodiscard]] bool looks_ahead() const noexcept override { return true; }
  void before_batch(const Context& ctx, const Tensor& x) override;
  [[nodiscard]] engine::Quantize export_spec() const override;
  [[nodiscard]] std::vector<Reading> readings() const override;

 private:
  [[nodiscard]] float step() const noexcept;

  RunningClipOptions options_;
  Tensor clip_;  ///< [1]: T; 0 before the first batch
};

}  // namespace bitplane::train
