// SPDX-License-Identifier: Apache-2.0
//
// The list of nets. A net is one function that builds modules; a new net is that function and a row of
// nets().
//
// Which layers may be quantized is the net's business: it asks the QuantizationPlan at those places. How, and
// with how many bits, is the method's (methods/method.h).
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "trainer/nn/module.h"
#include "trainer/quantizers/list.h"
#include "trainer/quantizers/quantizer.h"

namespace bitplane::train {

/// Which layers take the plan's weights: the inner ones, the first too, or all.
enum class WeightReach : std::uint8_t { Inner, AllButLast, All };

/// What a method does at the places that a net offers. An empty function: that side stays float.
struct QuantizationPlan {
  std::function<std::unique_ptr<WeightQuantizer>(const WeightQuantizerOptions& layer)> weights;
  std::function<std::unique_ptr<ActivationQuantizer>()> activations;
  WeightReach reach = WeightReach::Inner;
};

struct PictureShape {
  std::size_t height = 0, width = 0, channels = 0;
  friend bool operator==(const PictureShape&, const PictureShape&) = default;
};
/// "28x28x1"
[[nodiscard]] std::string to_string(const PictureShape& shape);

/// First and last layers: float32, or 8-bit weights on the picture's bytes and on 8-bit activations.
enum class FirstLast : std::uint8_t { Float, Bytes };

struct NetOptions {
  PictureShape input;
  std::size_t classes = 10;
  double width = 1.0;  ///< times the published channels, see scaled_channels()
  const QuantizationPlan& plan;
  FirstLast first_last = FirstLast::Float;
  /// What preprocessing multiplies a byte of each channel with; empty: 1. Of 8-bit first layers.
  std::vector<float> picture_scale = {};
};

/// The width rule, for every hidden channel count of every net (never the picture's channels or the classes):
/// at width 1 the published number; else channels * width, rounded to the nearest multiple of 4 (half up), at
/// least 4.
[[nodiscard]] std::size_t scaled_channels(std::size_t channels, double width) noexcept;

struct NetInfo {
  std::string_view name, description;
  PictureShape input;    ///< what it was published for; it takes 1 or 3 channels
  std::size_t classes;   ///< of the data set that it was published for; it takes any number
  std::size_t min_size;  ///< height and width are at least that
  std::unique_ptr<Module> (*build)(const NetOptions& options);
};

/// The one list.
[[nodiscard]] std::span<const NetInfo> nets() noexcept;
/// Throws std::invalid_argument with the nearest known name.
[[nodiscard]] const NetInfo& find_net(std::string_view name);
/// `name`: of the list, or what read_net_file() returned (net_file.h). Parameters are not initialized yet.
/// Throws std::invalid_argument naming what the net takes when it does not take `options.input`.
[[nodiscard]] std::unique_ptr<Module> build_net(std::string_view name, const NetOptions& options);

}  // namespace bitplane::train
