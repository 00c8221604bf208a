// SPDX-License-Identifier: Apache-2.0
//
// The bits of a filter in the order of a window's (gather.h).
#pragma once

#include <cstdint>
#include <span>

#include "bitplane/kernels/conv_shape.h"
#include "bitplane/kernels/planes.h"

namespace bitplane::kernels {

/// `row`: one canonical plane of a filter. window: [tap][channel, padded to the granule], zeros behind.
void write_filter_window(const std::uint64_t* row, const ConvShape& shape, const ActivationLayout& input,
                         std::span<std::uint64_t> window) noexcept;

}  // namespace bitplane::kernels
