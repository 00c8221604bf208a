// SPDX-License-Identifier: Apache-2.0
//
// A net's float values as a PyTorch file has them: names, shapes and the order of the elements.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "trainer/nn/module.h"

namespace bitplane::train {

/// What a net's file has to know beside the net.
struct TorchNet {
  std::string_view name;             ///< as in the config
  std::size_t picture_channels = 3;  ///< 1: grey
};

enum class TorchLayout : std::uint8_t {
  Same,
  Convolution,      ///< ours [out][kh][kw][in / groups], theirs [out][in / groups][kh][kw]
  LinearOnPicture,  ///< behind a flattened picture: ours [out][(y, x, channel)], theirs [out][(channel, y,
                    ///< x)]
};

struct TorchTensor {
  std::string name;
  Tensor* values = nullptr;  ///< in our net
  TorchLayout layout = TorchLayout::Same;
  std::size_t channels = 0;  ///< LinearOnPicture: of the picture that was flattened

  /// The shape in the file.
  [[nodiscard]] std::vector<std::size_t> shape() const;
  [[nodiscard]] std::vector<float> to_torch() const;
  /// `file` has the elements of shape().
  void from_torch(const float* file) const;
};

/// A bias that PyTorch's net may have in front of a batch norm where ours has none. It moves what the norm
/// subtracts: running_mean - bias.
struct TorchFoldedBias {
  std::string name;
  Tensor* running_mean = nullptr;
};

struct TorchView {
  std::vector<TorchTensor> tensors;
  std::vector<TorchFoldedBias> folded;
  std::vector<std::string> counters;  ///< num_batches_tracked of each batch norm: written as 0, not read
  /// Scale and shift of batch norms that have none in our net, as the method wants it: neither written nor
  /// read.
  std::vector<std::string> left_out;
};

/// Everything but what belongs to quantizers. Throws std::invalid_argument for flattened parts that are
/// joined behind their Flatten.
[[nodiscard]] TorchView torch_view(Module& net, const TorchNet& names);

}  // namespace bitplane::train
