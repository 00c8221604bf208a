// SPDX-License-Identifier: Apache-2.0
#include "engine/data/picture.h"

#include <algorithm>
#include <span>
#include <utility>

#include "bitplane/model_spec.h"
#include "engine/data/file_bytes.h"
#include "engine/data/resample.h"
#include "engine/data/stb.h"

namespace bitplane::engine::data {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{1} << 28;
constexpr std::size_t kMaxSide = 16384;

bool is_whole(const Picture& picture) noexcept {
  return (picture.channels == 1 || picture.channels == 3) && picture.height >= 1 &&
         picture.height <= kMaxSide && picture.width >= 1 && picture.width <= kMaxSide &&
         picture.pixels.size() == picture.height * picture.width * picture.channels;
}

Status not_whole(const std::string& what, const Picture& picture) {
  return {StatusCode::InvalidArgument,
          what + ": found a picture of " + std::to_string(picture.height) + "x" +
              std::to_string(picture.width) + "x" + std::to_string(picture.channels) + " with " +
              std::to_string(picture.pixels.size()) + " bytes, expected sides of 1 to " +
              std::to_string(kMaxSide) + ", 1 or 3 channels and a byte for each value"};
}

}  // namespace

Result<Picture> read_picture(const std::string& path, std::size_t channels) {
  return without_exceptions(path, [&]() -> Result<Picture> {
    if (channels != 1 && channels != 3) {
      return Status(StatusCode::Unsupported, path + ": cannot decode a picture to " +
                                                 std::to_string(channels) +
                                                 " channels, only to 1 (grey) or 3 (RGB)");
    }
    const auto bytes = read_whole_file(path, kMaxFileBytes);
    if (!bytes.ok()) return bytes.status();
    auto picture = decode_with_stb(bytes.value(), channels);
    if (!picture.ok()) return Status(picture.status().code(), path + ": " + picture.status().message());
    return picture;
  });
}

Status write_png(const std::string& path, const Picture& picture) {
  return without_exceptions(path, [&]() -> Status {
    if (!is_whole(picture)) return not_whole(path, picture);
    const auto bytes = encode_png_with_stb(picture);
    if (!bytes.ok()) return {bytes.status().code(), path + ": " + bytes.status().message()};
    return write_file_atomically(path, std::as_bytes(std::span(bytes.value())));
  });
}

Result<Picture> fit_picture(const Picture& picture, std::size_t height, std::size_t width, Fit fit) {
  return without_exceptions("fit_picture", [&]() -> Result<Picture> {
    if (!is_whole(picture)) return not_whole("fit_picture", picture);
    if (height < 1 || height > kMaxSide || width < 1 || width > kMaxSide) {
      return Status(StatusCode::InvalidArgument, "fit_picture: found a wanted size of " +
                                                     std::to_string(height) + "x" + std::to_string(width) +
                                                     ", expected sides of 1 to " + std::to_string(kMaxSide));
    }
    auto source_height = static_cast<double>(picture.height),
         source_width = static_cast<double>(picture.width);
    if (fit == Fit::CenterCrop) {  // the largest part with the wanted aspect ratio
      const double scale =
          std::min(source_height / static_cast<double>(height), source_width / static_cast<double>(width));
      source_height = scale * static_cast<double>(height);
      source_width = scale * static_cast<double>(width);
    }
    return resample(picture, middle(picture, source_height, source_width), height, width);
  });
}

}  // namespace bitplane::engine::data
