// SPDX-License-Identifier: Apache-2.0
//
// The one list of quantizers by name: methods, command-line help, tests and docs use it.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "trainer/quantizers/quantizer.h"

namespace bitplane::train {

struct WeightQuantizerOptions {
  std::size_t bits = 2;
  std::size_t out_channels = 1;
  std::size_t filter_size = 1;   ///< elements of one filter
  std::size_t kernel_area = 1;   ///< kh * kw
  std::size_t alternations = 1;  ///< LQ-Nets: T
  bool ema_debias = false;       ///< LQ-Nets
};

struct ActivationQuantizerOptions {
  std::size_t bits = 2;
  std::size_t alternations = 1;
  bool ema_debias = false;
};

struct QuantizerInfo {
  std::string_view name;
  std::string_view description;
  std::size_t min_bits, max_bits;
  std::unique_ptr<WeightQuantizer> (*make_weights)(const WeightQuantizerOptions&);
  std::unique_ptr<ActivationQuantizer> (*make_activations)(const ActivationQuantizerOptions&);
};

[[nodiscard]] std::span<const QuantizerInfo> quantizers() noexcept;
[[nodiscard]] const QuantizerInfo* find_quantizer(std::string_view name) noexcept;

}  // namespace bitplane::train
