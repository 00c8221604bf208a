// SPDX-License-Identifier: Apache-2.0
//
// The safetensors container: a strict reader and a writer. Used by model files and by the trainer's
// checkpoints.
//
//   8 bytes  header length n, little-endian
//   n bytes  JSON object: tensor name -> {dtype, shape, data_offsets}, "__metadata__" -> strings; padded with
//            spaces so that the data start on a multiple of 8
//   rest     tensor bytes, contiguous, no holes, no overlap, to the end of the file
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bitplane/export.h"
#include "bitplane/status.h"

namespace bitplane::engine {

enum class DType : std::uint8_t { U8, I32, I64, F32, F64 };
[[nodiscard]] BITPLANE_API std::string_view dtype_name(DType dtype) noexcept;
[[nodiscard]] BITPLANE_API std::size_t dtype_size(DType dtype) noexcept;

struct TensorView {
  DType dtype = DType::F32;
  std::vector<std::size_t> shape;
  std::span<const std::byte> bytes;
};

struct TensorEntry {
  std::string name;
  TensorView tensor;
};

struct Container {
  std::map<std::string, std::string> metadata;
  std::vector<TensorEntry> tensors;  ///< when read: in file order; views into the bytes that were parsed
};

/// Views stay valid as long as `bytes`. Duplicate keys, holes, overlaps, wrong sizes and unknown dtypes are
/// errors.
BITPLANE_API Result<Container> parse_safetensors(std::span<const std::byte> bytes);
/// Largest element first, then by name: a mapped file is aligned. Same container, same bytes.
BITPLANE_API Result<std::vector<std::byte>> serialize_safetensors(const Container& container);

}  // namespace bitplane::engine
