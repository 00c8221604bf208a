// SPDX-License-Identifier: Apache-2.0
//
// The file, all numbers little-endian:
//
//   8 bytes  "BPTRACE" and a zero        u32 version
//   u32 length, bytes: data set          u32 classes      u32 layers
//   per layer: u32 length, bytes: name   u32 height, width, channels
//   u64 pictures
//   per picture: u32 label   f32 logits[classes]   u32 digests[sum of the layers' channels]
//   u64 FNV-1a of everything before
#include "engine/data/trace.h"

#include <array>
#include <bit>
#include <cstring>
#include <string_view>
#include <utility>

#include "bitplane/model_spec.h"
#include "engine/data/file_bytes.h"

namespace bitplane::engine::data {
namespace {

constexpr std::string_view kMagic("BPTRACE\0", 8);
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kMaxFileBytes = std::size_t{1} << 32;
constexpr std::uint32_t kMaxName = 4096, kMaxClasses = 1U << 16, kMaxLayers = 1U << 16, kMaxSide = 1U << 16;

std::uint64_t checksum(std::span<const std::uint8_t> bytes) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const std::uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001b3U;
  return hash;
}

std::size_t digests_per_picture(const TraceHeader& header) noexcept {
  std::size_t count = 0;
  for (const TraceLayer& layer : header.layers) count += layer.channels;
  return count;
}

class ByteWriter {
 public:
  template <class Unsigned>
  void number(Unsigned value) {
    for (std::size_t i = 0; i < sizeof(value); ++i)
      bytes_.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  }
  void text(std::string_view value) {
    number(static_cast<std::uint32_t>(value.size()));
    raw(value);
  }
  void raw(std::string_view value) { bytes_.insert(bytes_.end(), value.begin(), value.end()); }
  [[nodiscard]] std::span<const std::uint8_t> bytes() const noexcept { return bytes_; }

 private:
  std::vector<std::uint8_t> bytes_;
};

/// Reads behind the end give zeros and are remembered: one check at the end of a section suffices.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  template <class Unsigned>
  Unsigned number() {
    Unsigned value = 0;
    const auto part = take(sizeof(Unsigned));
    for (std::size_t i = 0; i < part.size(); ++i)
      value |= static_cast<Unsigned>(static_cast<Unsigned>(part[i]) << (8 * i));
    return value;
  }
  std::string text(std::uint32_t limit) {
    const auto length = number<std::uint32_t>();
    if (length > limit) failed_ = true;
    const auto part = take(length);
    return {part.begin(), part.end()};
  }
  std::span<const std::uint8_t> take(std::size_t count) {
    if (failed_ || count > bytes_.size() - at_) {
      failed_ = true;
      return {};
    }
    return bytes_.subspan(std::exchange(at_, at_ + count), count);
  }
  [[nodiscard]] bool failed() const noexcept { return failed_; }
  [[nodiscard]] std::size_t left() const noexcept { return bytes_.size() - at_; }

 private:
  std::span<const std::uint8_t> bytes_;
  std::size_t at_ = 0;
  bool failed_ = false;
};

Status bad(const std::string& path, const std::string& what) {
  return {StatusCode::InvalidFile,
          path + ": " + what + "; write it again with: trainer eval RUN --trace FILE"};
}

bool fits(const TraceLayer& layer) noexcept {
  const auto side_fits = [](std::size_t side) { return side >= 1 && side <= kMaxSide; };
  return side_fits(layer.height) && side_fits(layer.width) && side_fits(layer.channels) &&
         layer.name.size() <= kMaxName;
}

Result<TraceHeader> read_header(const std::string& path, ByteReader& reader) {
  const auto magic = reader.take(kMagic.size());
  if (reader.failed() || std::memcmp(magic.data(), kMagic.data(), kMagic.size()) != 0) {
    return bad(path, "found no trace, expected the magic bytes BPTRACE");
  }
  const auto version = reader.number<std::uint32_t>();
  if (!reader.failed() && version != kVersion) {
    return Status(StatusCode::Unsupported, path + ": found trace version " + std::to_string(version) +
                                               ", expected " + std::to_string(kVersion) +
                                               "; use the version of Bitplane that wrote it");
  }
  TraceHeader header;
  header.dataset = reader.text(kMaxName);
  header.classes = reader.number<std::uint32_t>();
  const auto layers = reader.number<std::uint32_t>();
  if (reader.failed() || header.classes < 1 || header.classes > kMaxClasses || layers > kMaxLayers) {
    return bad(path, "found a damaged header (data set, classes or number of layers)");
  }
  for (std::uint32_t i = 0; i < layers; ++i) {
    TraceLayer layer;
    layer.name = reader.text(kMaxName);
    layer.height = reader.number<std::uint32_t>();
    layer.width = reader.number<std::uint32_t>();
    layer.channels = reader.number<std::uint32_t>();
    if (reader.failed() || !fits(layer))
      return bad(path, "found a damaged description of layer " + std::to_string(i));
    header.layers.push_back(std::move(layer));
  }
  return header;
}

Result<Trace> parse(const std::string& path, std::span<const std::uint8_t> bytes) {
  ByteReader reader(bytes);
  auto header = read_header(path, reader);
  if (!header.ok()) return header.status();
  Trace trace;
  trace.header = std::move(header).value();
  const auto count = reader.number<std::uint64_t>();
  const std::size_t digests = digests_per_picture(trace.header);
  const std::uint64_t picture_bytes = 4 * (1 + trace.header.classes + digests);
  if (reader.failed() || reader.left() < sizeof(std::uint64_t) ||
      count != (reader.left() - sizeof(std::uint64_t)) / picture_bytes ||
      (reader.left() - sizeof(std::uint64_t)) % picture_bytes != 0) {
    return bad(path, "found " + std::to_string(reader.left()) + " bytes of pictures, expected " +
                         std::to_string(count) + " pictures of " + std::to_string(picture_bytes) +
                         " bytes and a checksum of 8");
  }
  trace.pictures.resize(static_cast<std::size_t>(count));
  for (TracePicture& picture : trace.pictures) {
    picture.label = reader.number<std::uint32_t>();
    if (picture.label >= trace.header.classes) {
      return bad(path, "found label " + std::to_string(picture.label) + ", expected one below " +
                           std::to_string(trace.header.classes));
    }
    picture.logits.resize(trace.header.classes);
    for (float& logit : picture.logits) logit = std::bit_cast<float>(reader.number<std::uint32_t>());
    picture.digests.resize(digests);
    for (std::uint32_t& digest : picture.digests) digest = reader.number<std::uint32_t>();
  }
  if (reader.number<std::uint64_t>() != checksum(bytes.first(bytes.size() - sizeof(std::uint64_t)))) {
    return bad(path, "found another checksum than expected: the file is damaged");
  }
  return trace;
}

/// Why the trace cannot be written, or Ok.
Status check(const std::string& path, const Trace& trace) {
  const TraceHeader& header = trace.header;
  const auto refuse = [&](const std::string& what) {
    return Status(StatusCode::InvalidArgument, path + ": " + what);
  };
  if (header.classes < 1 || header.classes > kMaxClasses || header.dataset.size() > kMaxName ||
      header.layers.size() > kMaxLayers) {
    return refuse("a trace of " + std::to_string(header.classes) + " classes and " +
                  std::to_string(header.layers.size()) + " layers cannot be written");
  }
  for (const TraceLayer& layer : header.layers) {
    if (!fits(layer)) return refuse("layer '" + layer.name + "' has an impossible size or name");
  }
  const std::size_t digests = digests_per_picture(header);
  for (std::size_t i = 0; i < trace.pictures.size(); ++i) {
    const TracePicture& picture = trace.pictures[i];
    if (picture.logits.size() != header.classes || picture.digests.size() != digests ||
        picture.label >= header.classes) {
      return refuse("picture " + std::to_string(i) + " has label " + std::to_string(picture.label) + ", " +
                    std::to_string(picture.logits.size()) + " logits and " +
                    std::to_string(picture.digests.size()) + " digests; expected " +
                    std::to_string(header.classes) + " logits and " + std::to_string(digests) + " digests");
    }
  }
  return {};
}

}  // namespace

void digest_codes(std::span<const std::uint8_t> codes, std::size_t channels,
                  std::span<std::uint32_t> digests) noexcept {
  for (std::size_t c = 0; c < channels; ++c) {
    std::uint32_t hash = 0x811c9dc5U;
    for (std::size_t at = c; at < codes.size(); at += channels) hash = (hash ^ codes[at]) * 0x01000193U;
    digests[c] = hash;
  }
}

Status write_trace(const std::string& path, const Trace& trace) {
  return without_exceptions(path, [&]() -> Status {
    if (Status status = check(path, trace); !status.ok()) return status;
    ByteWriter writer;
    writer.raw(kMagic);
    writer.number(kVersion);
    writer.text(trace.header.dataset);
    writer.number(static_cast<std::uint32_t>(trace.header.classes));
    writer.number(static_cast<std::uint32_t>(trace.header.layers.size()));
    for (const TraceLayer& layer : trace.header.layers) {
      writer.text(layer.name);
      for (const std::size_t side : {layer.height, layer.width, layer.channels}) {
        writer.number(static_cast<std::uint32_t>(side));
      }
    }
    writer.number(std::uint64_t{trace.pictures.size()});
    for (const TracePicture& picture : trace.pictures) {
      writer.number(picture.label);
      for (const float logit : picture.logits) writer.number(std::bit_cast<std::uint32_t>(logit));
      for (const std::uint32_t digest : picture.digests) writer.number(digest);
    }
    writer.number(checksum(writer.bytes()));
    return write_file_atomically(path, std::as_bytes(writer.bytes()));
  });
}

Result<Trace> read_trace(const std::string& path) {
  return without_exceptions(path, [&]() -> Result<Trace> {
    const auto bytes = read_whole_file(path, kMaxFileBytes);
    if (!bytes.ok()) return bytes.status();
    return parse(path, bytes.value());
  });
}

}  // namespace bitplane::engine::data
