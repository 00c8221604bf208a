// SPDX-License-Identifier: Apache-2.0
#include "safetensors/layout.h"

#include <array>

namespace bitplane::engine {
namespace {

struct DTypeInfo {
  DType dtype;
  std::string_view name;
  std::size_t size;
};

/// In the order of the enumerators.
constexpr std::array<DTypeInfo, 5> kDTypes{{
    {DType::U8, "U8", 1},
    {DType::I32, "I32", 4},
    {DType::I64, "I64", 8},
    {DType::F32, "F32", 4},
    {DType::F64, "F64", 8},
}};

const DTypeInfo& info_of(DType dtype) noexcept {
  return kDTypes[static_cast<std::size_t>(dtype)];
}

}  // namespace

std::string_view dtype_name(DType dtype) noexcept {
  return info_of(dtype).name;
}
std::size_t dtype_size(DType dtype) noexcept {
  return info_of(dtype).size;
}

std::optional<DType> dtype_from_name(std::string_view name) noexcept {
  for (const DTypeInfo& info : kDTypes) {
    if (info.name == name) return info.dtype;
  }
  return std::nullopt;
}

std::optional<std::size_t> tensor_bytes(DType dtype, std::span<const std::size_t> shape) noexcept {
  std::size_t bytes = dtype_size(dtype);
  for (const std::size_t dimension : shape) {
    if (__builtin_mul_overflow(bytes, dimension, &bytes)) return std::nullopt;
  }
  return bytes;
}

}  // namespace bitplane::engine
