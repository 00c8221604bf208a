// SPDX-License-Identifier: Apache-2.0
//
// Float weights in and out as a safetensors file with PyTorch's names and layouts (torch_names.h), as
// `safetensors.torch.save_file(net.state_dict(), path)` writes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "trainer/interchange/torch_view.h"
#include "trainer/nn/module.h"

namespace bitplane::train {

/// What happens to values of the net that the file lacks or has in another shape.
enum class MissingValues : std::uint8_t { Refuse, Keep };

struct ImportSummary {
  std::size_t taken = 0;
  std::vector<std::string> kept;    ///< values that stayed as they were, and why
  std::vector<std::string> unused;  ///< names of the file that the net has no place for
};

/// Reads float32 or float64. Throws cli::CommandError (BadInput) with one message that lists every missing,
/// misshaped and unused name; with MissingValues::Keep only for a file that shares nothing with the net.
ImportSummary import_torch_file(const std::string& path, Module& net, const TorchNet& names,
                                MissingValues missing);

/// The bytes of the file; what import_torch_file() reads back to the same bits.
[[nodiscard]] std::vector<std::byte> torch_file_bytes(Module& net, const TorchNet& names);

}  // namespace bitplane::train
