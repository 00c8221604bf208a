// SPDX-License-Identifier: Apache-2.0
#include "engine/data/stb.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "engine/data/jpeg_fault.h"
#include "engine/data/png_palette.h"

namespace {

/// What one block may grow to while a picture is decoded: a PNG's data inflate to as much as they like, and
/// stb_image would take 4 GiB for one pixel.
thread_local std::size_t most_bytes = 0;

[[maybe_unused]] void* grow(void* block, std::size_t bytes) {
  return bytes > most_bytes ? nullptr : std::realloc(block, bytes);
}

}  // namespace

// Both headers are C of another house; its warnings are silenced here and nowhere else.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wundef"
#ifndef __clang_analyzer__  // and what clang-tidy would find in its functions
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_WRITE_IMPLEMENTATION
#endif
#define STB_IMAGE_STATIC
#define STBI_ONLY_PNG
#define STBI_ONLY_JPEG
#define STBI_NO_STDIO
#define STBI_MAX_DIMENSIONS 16384
#define STBI_MALLOC(size) std::calloc(1, size)  // tables that a file lacks are zeros, not remains
#define STBI_REALLOC(block, size) grow(block, size)
#define STBI_FREE(block) std::free(block)
#include <stb_image.h>
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#include <stb_image_write.h>
#pragma GCC diagnostic pop

namespace bitplane::engine::data {
namespace {

constexpr std::size_t kMaxPixels = std::size_t{1} << 26;

struct FreePixels {
  void operator()(stbi_uc* pixels) const noexcept { stbi_image_free(pixels); }
};

Status undecodable() {
  const char* reason = stbi_failure_reason();
  return {StatusCode::InvalidFile, std::string("found no picture that decodes (") +
                                       (reason ? reason : "no reason given") +
                                       "), expected a whole PNG or JPEG file; convert it or get it again"};
}

/// What stb_image must not see.
Status check(std::span<const std::uint8_t> bytes) {
  const std::string_view fault = jpeg_fault(bytes);
  if (fault.empty()) return {};
  return {StatusCode::InvalidFile, "found a JPEG " + std::string(fault) +
                                       ", expected a whole PNG or JPEG file; convert it or get it again"};
}

/// stb_image gathers the compressed data in one block and inflates them into another; both begin at a guess
/// and double. 16 bits of 4 channels a pixel are the most that PNG has, and rows of interlaced pictures have
/// a byte more in each of 7 passes.
std::size_t most_grown_bytes(std::size_t file, std::size_t width, std::size_t height) {
  constexpr std::size_t kSmallest = 1 << 16, kPixel = 8, kPasses = 7;
  return std::max({kSmallest, 2 * file, 2 * (kPixel * width * height + kPasses * (width + height))});
}

void append(void* context, void* data, int size) {
  auto& bytes = *static_cast<std::vector<std::uint8_t>*>(context);
  const auto* first = static_cast<const std::uint8_t*>(data);
  bytes.insert(bytes.end(), first, first + size);
}

}  // namespace

Result<Picture> decode_with_stb(std::span<const std::uint8_t> bytes, std::size_t channels) {
  if (Status status = check(bytes); !status.ok()) return status;
  const std::vector<std::uint8_t> filled = with_whole_palette(bytes);
  if (!filled.empty()) bytes = filled;
  const int size = static_cast<int>(bytes.size());
  int width = 0, height = 0, stored = 0;
  if (stbi_info_from_memory(bytes.data(), size, &width, &height, &stored) == 0) return undecodable();
  if (width <= 0 || height <= 0 ||
      static_cast<std::size_t>(width) * static_cast<std::size_t>(height) > kMaxPixels) {
    return Status(StatusCode::InvalidFile, "found a picture of " + std::to_string(height) + "x" +
                                               std::to_string(width) + ", expected at most " +
                                               std::to_string(kMaxPixels) + " pixels; scale it down");
  }
  most_bytes =
      most_grown_bytes(bytes.size(), static_cast<std::size_t>(width), static_cast<std::size_t>(height));
  const std::unique_ptr<stbi_uc, FreePixels> pixels(
      stbi_load_from_memory(bytes.data(), size, &width, &height, &stored, static_cast<int>(channels)));
  if (!pixels) return undecodable();
  Picture picture{static_cast<std::size_t>(height), static_cast<std::size_t>(width), channels, {}};
  picture.pixels.assign(pixels.get(), pixels.get() + picture.height * picture.width * channels);
  return picture;
}

Result<Picture> describe_with_stb(std::span<const std::uint8_t> bytes) {
  if (Status status = check(bytes); !status.ok()) return status;
  int width = 0, height = 0, stored = 0;
  if (stbi_info_from_memory(bytes.data(), static_cast<int>(bytes.size()), &width, &height, &stored) == 0)
    return undecodable();
  return Picture{static_cast<std::size_t>(height), static_cast<std::size_t>(width), stored < 3 ? 1U : 3U, {}};
}

Result<std::vector<std::uint8_t>> encode_png_with_stb(const Picture& picture) {
  std::vector<std::uint8_t> bytes;
  const int width = static_cast<int>(picture.width), channels = static_cast<int>(picture.channels);
  const int done = stbi_write_png_to_func(append, &bytes, width, static_cast<int>(picture.height), channels,
                                          picture.pixels.data(), width * channels);
  if (done == 0) return Status(StatusCode::OutOfMemory, "not enough memory to encode a PNG");
  return bytes;
}

}  // namespace bitplane::engine::data
