// SPDX-License-Identifier: Apache-2.0
#include "engine/data/idx.h"

#include <array>
#include <cstdio>
#include <span>
#include <utility>

#include "engine/data/file_bytes.h"
#include "engine/data/gzip.h"

namespace bitplane::engine::data {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{1} << 31;
constexpr std::uint32_t kMaxSide = 4096;

struct IdxKind {
  std::uint32_t magic;
  std::size_t dimensions;
  const char* what;
};
constexpr IdxKind kPictures{0x00000803U, 3, "pictures"};
constexpr IdxKind kLabels{0x00000801U, 1, "labels"};

struct Idx {
  std::array<std::uint32_t, 3> dimensions{1, 1, 1};
  std::vector<std::uint8_t> bytes;  ///< the whole content
  std::size_t values_at = 0;        ///< where the values begin in it

  [[nodiscard]] std::span<const std::uint8_t> values() const noexcept {
    return std::span(bytes).subspan(values_at);
  }
};

Status bad(const std::string& path, const std::string& found, const std::string& expected) {
  return {StatusCode::InvalidFile,
          path + ": found " + found + ", expected " + expected + "; get the file again"};
}

std::uint32_t big_endian(std::span<const std::uint8_t> bytes, std::size_t at) noexcept {
  return static_cast<std::uint32_t>(bytes[at]) << 24 | static_cast<std::uint32_t>(bytes[at + 1]) << 16 |
         static_cast<std::uint32_t>(bytes[at + 2]) << 8 | static_cast<std::uint32_t>(bytes[at + 3]);
}

std::string hex(std::uint32_t value) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "0x%08x", value);
  return text.data();
}

Status check_magic(const std::string& path, std::uint32_t magic, const IdxKind& kind) {
  if (magic == kind.magic) return {};
  std::string found = "the magic number " + hex(magic);
  for (const IdxKind& other : {kPictures, kLabels}) {
    if (magic == other.magic) found += std::string(" (IDX ") + other.what + ")";
  }
  return bad(path, found, hex(kind.magic) + " (IDX " + kind.what + ", unsigned bytes)");
}

Result<std::vector<std::uint8_t>> read_content(const std::string& path) {
  auto raw = read_whole_file(path, kMaxFileBytes);
  if (!raw.ok() || !is_gzip(raw.value())) return raw;
  return gunzip(path, raw.value(), kMaxFileBytes);
}

Result<Idx> read_idx(const std::string& path, const IdxKind& kind) {
  auto content = read_content(path);
  if (!content.ok()) return content.status();
  Idx idx;
  idx.bytes = std::move(content).value();
  idx.values_at = 4 + 4 * kind.dimensions;
  if (idx.bytes.size() < idx.values_at) {
    return bad(path, std::to_string(idx.bytes.size()) + " bytes",
               "an IDX header of " + std::to_string(idx.values_at) + " bytes: it is truncated");
  }
  if (const Status magic = check_magic(path, big_endian(idx.bytes, 0), kind); !magic.ok()) return magic;
  std::uint64_t values = 1;
  for (std::size_t d = 0; d < kind.dimensions; ++d) {
    idx.dimensions[d] = big_endian(idx.bytes, 4 + 4 * d);
    if (idx.dimensions[d] == 0 || (d > 0 && idx.dimensions[d] > kMaxSide)) {
      return bad(path, "size " + std::to_string(idx.dimensions[d]) + " in dimension " + std::to_string(d),
                 d > 0 ? "1 to " + std::to_string(kMaxSide) : "at least 1");
    }
    values *= idx.dimensions[d];  // below 2^32 * 2^12 * 2^12
  }
  const std::uint64_t present = idx.bytes.size() - idx.values_at;
  if (present != values) {
    return bad(path, std::to_string(present) + " bytes of values",
               std::to_string(values) + " as its header says: " +
                   (present < values ? "it is truncated" : "bytes follow the last value"));
  }
  return idx;
}

}  // namespace

Result<IdxPictures> read_idx_pictures(const std::string& path) {
  return without_exceptions(path, [&]() -> Result<IdxPictures> {
    auto idx = read_idx(path, kPictures);
    if (!idx.ok()) return idx.status();
    return IdxPictures{.count = idx->dimensions[0],
                       .height = idx->dimensions[1],
                       .width = idx->dimensions[2],
                       .pixels = {idx->values().begin(), idx->values().end()}};
  });
}

Result<std::vector<std::uint8_t>> read_idx_labels(const std::string& path, std::size_t classes) {
  return without_exceptions(path, [&]() -> Result<std::vector<std::uint8_t>> {
    auto idx = read_idx(path, kLabels);
    if (!idx.ok()) return idx.status();
    const auto labels = idx->values();
    for (std::size_t i = 0; i < labels.size(); ++i) {
      if (labels[i] >= classes) {
        return bad(path, "label " + std::to_string(labels[i]) + " at picture " + std::to_string(i),
                   "a label from 0 to " + std::to_string(classes - 1));
      }
    }
    return std::vector<std::uint8_t>(labels.begin(), labels.end());
  });
}

}  // namespace bitplane::engine::data
