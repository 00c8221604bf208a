// SPDX-License-Identifier: Apache-2.0
#include "engine/data/jpeg_fault.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <optional>

namespace bitplane::engine::data {
namespace {

// ITU-T T.81, table B.1.
constexpr std::uint8_t kMarker = 0xFF, kHuffmanTables = 0xC4, kRestart0 = 0xD0, kRestart7 = 0xD7,
                       kStartOfImage = 0xD8, kEndOfImage = 0xD9, kStartOfScan = 0xDA;

/// The code of the marker at `at`, behind which `at` is left: any number of 0xFF in front of it is filling.
/// Nothing where no marker is, or the file ends.
std::optional<std::uint8_t> marker_at(std::span<const std::uint8_t> bytes, std::size_t& at) noexcept {
  if (at >= bytes.size() || bytes[at] != kMarker) return std::nullopt;
  while (at < bytes.size() && bytes[at] == kMarker) ++at;
  if (at >= bytes.size()) return std::nullopt;
  return bytes[at++];
}

/// Leaves `at` in front of the marker that ends the data of a scan. There 0xFF is followed by 0 (T.81,
/// F.1.2.3), and restart markers stand within.
void skip_scan_data(std::span<const std::uint8_t> bytes, std::size_t& at) noexcept {
  for (; at < bytes.size(); ++at) {
    std::size_t behind = at;
    const std::optional<std::uint8_t> code = marker_at(bytes, behind);
    if (code && *code != 0 && (*code < kRestart0 || *code > kRestart7)) return;
  }
}

/// `rest`: of the file, behind the length of a segment DHT. Tables may go on behind the segment's end, which
/// a decoder notices too late, and behind that of the file, where it reads zeros.
bool is_overlong(std::span<const std::uint8_t> rest, std::size_t length) noexcept {
  constexpr std::size_t kCounts = 16, kMostSymbols = 256;
  for (std::size_t at = 1; at <= length && at < rest.size();) {  // behind the table's class and number
    const auto counts = rest.subspan(at, std::min(kCounts, rest.size() - at));
    const std::size_t symbols = std::accumulate(counts.begin(), counts.end(), std::size_t{0});
    if (symbols > kMostSymbols) return true;
    at += kCounts + symbols + 1;
  }
  return false;
}

}  // namespace

std::string_view jpeg_fault(std::span<const std::uint8_t> bytes) noexcept {
  std::size_t at = 0;
  if (marker_at(bytes, at) != kStartOfImage) return "";
  bool tables = false, scan = false;
  while (at < bytes.size()) {
    const std::optional<std::uint8_t> code = marker_at(bytes, at);
    if (!code) {
      ++at;  // some writers pad their segments
      continue;
    }
    if (*code == kEndOfImage) return scan ? "" : "without a scan";
    if (at + 2 > bytes.size()) return "";
    const std::size_t length = std::size_t{bytes[at]} << 8U | bytes[at + 1];
    if (length < 2) return "";
    if (*code == kHuffmanTables && is_overlong(bytes.subspan(at + 2), length - 2))
      return "whose Huffman table has more than 256 symbols";
    tables = tables || *code == kHuffmanTables;
    at += length;
    if (*code != kStartOfScan) continue;
    if (!tables) return "without Huffman tables in front of its scan";
    scan = true;
    skip_scan_data(bytes, at);
  }
  return "";
}

}  // namespace bitplane::engine::data
