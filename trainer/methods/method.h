// SPDX-License-Identifier: Apache-2.0
//
// The list of methods: what each quantizes, with which bits, its options, and the training defaults that
// suit it. A new method is a row of methods() (and a quantizer in quantizers/, where it brings one).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "trainer/nets/net.h"
#include "trainer/quantizers/list.h"

namespace bitplane::train {

inline constexpr std::size_t kFloatBits = 32;
inline constexpr std::size_t kMaxBits = 8;

/// Training settings that differ between methods; used where neither the config file nor a flag says
/// otherwise.
struct MethodDefaults {
  std::size_t wbits, abits;
  double lr, weight_decay;
};

/// Whether quantized activations may go with float weights: the first stages of procedures.
enum class FloatWeights : std::uint8_t { Refused, Allowed };

/// What its training begins with.
enum class MethodStart : std::uint8_t {
  Random,    ///< weights of the seed, or of a file
  FloatNet,  ///< a trained float net: `trainer quantize`
};

struct MethodInfo {
  std::string_view name, description;
  std::string_view weights, activations;  ///< how each is quantized, for people
  /// Names in quantizers(); "" where that side stays float. A method with the option `activations` has its
  /// choice of activation quantizers, and this is the default.
  std::string_view weight_quantizer, activation_quantizer;
  MethodDefaults defaults;
  FloatWeights float_weights = FloatWeights::Refused;
  MethodStart start = MethodStart::Random;
  std::span<const OptionInfo> options = {};  ///< beside those of its quantizers
};

/// The one list.
[[nodiscard]] std::span<const MethodInfo> methods() noexcept;
/// Throws std::invalid_argument with the nearest known name.
[[nodiscard]] const MethodInfo& find_method(std::string_view name);

/// Throws std::invalid_argument for a method that starts from a float net, saying how that is done.
void require_random_start(std::string_view method);

/// The options of the method's quantizers and its own; one that several have is one option.
[[nodiscard]] std::vector<OptionInfo> method_options(const MethodInfo& method);
[[nodiscard]] BitRange weight_bits(const MethodInfo& method);
[[nodiscard]] BitRange activation_bits(const MethodInfo& method);
/// The same for people, float included where the method takes it: "3 to 5", "2, or 32 for float", "32".
[[nodiscard]] std::string weight_bits_text(const MethodInfo& method);
[[nodiscard]] std::string activation_bits_text(const MethodInfo& method);

using MethodOptionValues = OptionValues;

struct MethodSettings {
  std::string method;
  std::size_t wbits = kFloatBits, abits = kFloatBits;
  MethodOptionValues options = {};
};

/// Adds the method's defaults for options that are not given. Throws std::invalid_argument for an unknown
/// option (with the nearest known name), a value out of range, and bits or pairs of bits that the method
/// cannot do.
[[nodiscard]] MethodSettings resolve_method(MethodSettings settings);

/// `settings` as resolve_method() returned them.
[[nodiscard]] QuantizationPlan make_plan(const MethodSettings& settings);

}  // namespace bitplane::train
