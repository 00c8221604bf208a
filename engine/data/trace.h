// SPDX-License-Identifier: Apache-2.0
//
// A trace: what the trainer's own evaluation saw on every picture of a test set, for `bitplane verify` to
// compare with the engine. Per picture: the label, every logit (bit for bit), and one 32-bit digest of the
// codes per channel of every quantized layer, so that the first difference has a layer, a picture and a
// channel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "bitplane/status.h"

namespace bitplane::engine::data {

struct TraceLayer {
  std::string name;  ///< of the quantize node
  std::size_t height = 0, width = 0, channels = 0;
};

struct TraceHeader {
  std::string dataset;
  std::size_t classes = 0;
  std::vector<TraceLayer> layers;
};

struct TracePicture {
  std::uint32_t label = 0;
  std::vector<float> logits;           ///< [classes]
  std::vector<std::uint32_t> digests;  ///< layer after layer, [channels]
};

struct Trace {
  TraceHeader header;
  std::vector<TracePicture> pictures;
};

/// FNV-1a over the codes of each channel, pixels in row-major order. codes: [pixels][channels].
void digest_codes(std::span<const std::uint8_t> codes, std::size_t channels,
                  std::span<std::uint32_t> digests) noexcept;

Status write_trace(const std::string& path, const Trace& trace);
Result<Trace> read_trace(const std::string& path);

}  // namespace bitplane::engine::data
