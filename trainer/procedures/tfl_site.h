// SPDX-License-Identifier: Apache-2.0
//
// Where in a net a layer stands, as transformation function learning sees it.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "trainer/nn/layers.h"
#include "trainer/procedures/tfl.h"

namespace bitplane::train {

/// A quantized layer, what feeds it and what its output goes through.
struct TflSite {
  std::string name, input;       ///< of nodes
  const Conv2d* conv = nullptr;  ///< or linear
  const Linear* linear = nullptr;
  std::string norm = {};        ///< the batch norm behind it; "": none
  std::string norm_input = {};  ///< what that reads: the layer, or a pooling behind it
  float epsilon = 0;            ///< of that batch norm
  TflOutput output = TflOutput::Linear;

  [[nodiscard]] std::size_t out_channels() const;
  [[nodiscard]] std::size_t groups() const { return conv != nullptr ? conv->options().groups : 1; }
  /// Of one filter.
  [[nodiscard]] std::size_t filter_size() const;
};

/// The layers with ternary weights, in forward order.
[[nodiscard]] std::vector<TflSite> tfl_sites(const LayerGraph& graph);

/// Parameters and buffers of a net by name.
class NetState {
 public:
  explicit NetState(Module& net);
  [[nodiscard]] Tensor* find(const std::string& name) const;
  [[nodiscard]] Tensor& at(const std::string& name) const { return *tensors_.at(name); }

 private:
  std::map<std::string, Tensor*> tensors_;
};

/// v = scale[o] * u + shift[o]: batch norm behind a layer, or nothing. u is the layer's output without its
/// bias.
struct ChannelFold {
  std::vector<double> scale, shift;
};
[[nodiscard]] ChannelFold fold_behind(const TflSite& site, const NetState& state);

/// Writes filter `channel`: weights sign * alpha * t, and b where batch norm or bias holds it.
struct TernaryChannel {
  std::size_t channel = 0;
  TflSolution solution = {};
  double sign = 1;  ///< of the batch norm; 0: the channel is b, and the filter stands as it is
};
void write_channel(const TflSite& site, const NetState& state, const TernaryChannel& from);

/// Mean and variance of each channel of what the batch norm reads.
struct NormInput {
  std::vector<double> mean, variance;
};
/// Takes them for the running ones of a batch norm.
void set_statistics(const NetState& state, const std::string& norm, const NormInput& input);
/// The same for the one behind a layer, where scale and shift undo it: evaluation computes what it did, and
/// training starts from that.
void keep_function(const TflSite& site, const NetState& state, const NormInput& input);

}  // namespace bitplane::train
