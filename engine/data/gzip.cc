// SPDX-License-Identifier: Apache-2.0
#include "engine/data/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <limits>

namespace bitplane::engine::data {
namespace {

constexpr int kGzipOnly = 16 + MAX_WBITS;
constexpr std::size_t kBlock = std::size_t{1} << 16;

struct Inflater {
  z_stream stream{};
  bool ready = inflateInit2(&stream, kGzipOnly) == Z_OK;
  Inflater() = default;
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() {
    if (ready) inflateEnd(&stream);
  }
};

Status broken(const std::string& path, const std::string& found) {
  return {StatusCode::InvalidFile, path + ": " + found + "; get the file again"};
}

}  // namespace

bool is_gzip(std::span<const std::uint8_t> bytes) noexcept {
  return bytes.size() >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
}

Result<std::vector<std::uint8_t>> gunzip(const std::string& path, std::span<const std::uint8_t> bytes,
                                         std::size_t max_bytes) {
  Inflater inflater;
  if (!inflater.ready) return Status(StatusCode::OutOfMemory, path + ": no memory to decompress");
  if (bytes.size() > std::numeric_limits<uInt>::max()) return broken(path, "a gzip file above 4 GiB");
  z_stream& stream = inflater.stream;
  stream.next_in = const_cast<Bytef*>(bytes.data());  // zlib's interface predates const; it only reads
  stream.avail_in = static_cast<uInt>(bytes.size());

  std::vector<std::uint8_t> content;
  std::array<std::uint8_t, kBlock> block;
  for (int code = Z_OK; code != Z_STREAM_END;) {
    stream.next_out = block.data();
    stream.avail_out = static_cast<uInt>(block.size());
    code = inflate(&stream, Z_NO_FLUSH);
    if (code != Z_OK && code != Z_STREAM_END) {
      if (code == Z_BUF_ERROR) {
        return broken(path, "found the end of the file inside the gzip stream, after " +
                                std::to_string(bytes.size()) +
                                " bytes; expected the whole stream: it is truncated");
      }
      return broken(path, "found damaged gzip data (" +
                              std::string(stream.msg ? stream.msg : "no reason given") + ") at byte " +
                              std::to_string(bytes.size() - stream.avail_in));
    }
    const std::size_t got = block.size() - stream.avail_out;
    if (got > max_bytes - content.size()) {
      return broken(path,
                    "expected at most " + std::to_string(max_bytes) + " bytes when unzipped, found more");
    }
    content.insert(content.end(), block.begin(), block.begin() + static_cast<std::ptrdiff_t>(got));
  }
  if (stream.avail_in != 0) {
    return broken(
        path, "found " + std::to_string(stream.avail_in) + " bytes behind the gzip stream, expected none");
  }
  return content;
}

}  // namespace bitplane::engine::data
