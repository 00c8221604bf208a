// SPDX-License-Identifier: Apache-2.0
//
// The one list of quantizers by name: methods, command-line help, tests and docs use it. A row is defined in
// the quantizer's own file and named in list.cc.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "trainer/quantizers/options.h"
#include "trainer/quantizers/quantizer.h"

namespace bitplane::train {

/// The layer that the weights belong to, and the request. Options that are not given have their defaults.
struct WeightQuantizerOptions {
  std::size_t bits = 2;
  std::size_t out_channels = 1;
  std::size_t filter_size = 1;  ///< elements of one filter
  std::size_t kernel_area = 1;  ///< kh * kw
  OptionValues options = {};
};

struct ActivationQuantizerOptions {
  std::size_t bits = 2;
  OptionValues options = {};
};

/// The bits that a quantizer can do on one side; none where max is 0.
struct BitRange {
  std::size_t min = 0, max = 0;
  [[nodiscard]] constexpr bool contains(std::size_t bits) const noexcept {
    return max > 0 && bits >= min && bits <= max;
  }
};
/// "1 to 8", "2", "none"
[[nodiscard]] std::string to_string(BitRange range);

struct QuantizerInfo {
  std::string_view name, description;
  BitRange weight_bits, activation_bits;
  /// nullptr where the quantizer has no such side. They throw std::invalid_argument for bits outside the
  /// range (make_weights(), make_activations() below check it for all).
  std::unique_ptr<WeightQuantizer> (*weights)(const WeightQuantizerOptions&);
  std::unique_ptr<ActivationQuantizer> (*activations)(const ActivationQuantizerOptions&);
  std::span<const OptionInfo> weight_options, activation_options;
  /// With 32 bits: nullptr, or what moves float weights between steps (keeps_floats()); it may return
  /// nothing.
  std::unique_ptr<WeightQuantizer> (*float_weights)(const WeightQuantizerOptions&) = nullptr;

  [[nodiscard]] std::unique_ptr<WeightQuantizer> make_weights(const WeightQuantizerOptions& options) const;
  [[nodiscard]] std::unique_ptr<ActivationQuantizer> make_activations(
      const ActivationQuantizerOptions& options) const;
};

/// For the row of a quantizer.
template <class Q>
std::unique_ptr<WeightQuantizer> weight_maker(const WeightQuantizerOptions& options) {
  return std::make_unique<Q>(options);
}
template <class Q>
std::unique_ptr<ActivationQuantizer> activation_maker(const ActivationQuantizerOptions& options) {
  return std::make_unique<Q>(options);
}

[[nodiscard]] std::span<const QuantizerInfo* const> quantizers() noexcept;
[[nodiscard]] const QuantizerInfo* find_quantizer(std::string_view name) noexcept;

}  // namespace bitplane::train
