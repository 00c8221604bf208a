// SPDX-License-Identifier: Apache-2.0
//
// Labelled picture sets. kDatasets is the one list: command-line help, `trainer list datasets`, tests and
// docs come from it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bitplane/status.h"

namespace bitplane::engine::data {

enum class Split : std::uint8_t { Train, Test };
[[nodiscard]] std::string_view split_name(Split split) noexcept;

/// A split: whole in memory, or a list of files that are decoded when they are wanted.
struct PictureSet {
  std::size_t count = 0, height = 0, width = 0, channels = 0;
  std::vector<std::uint8_t> pixels;   ///< [count][height][width][channels]; empty when streamed()
  std::vector<std::uint16_t> labels;  ///< [count], below class_names.size()
  std::vector<std::string> class_names;
  std::vector<std::string> files = {};  ///< of a streamed set: [count]
  /// SHA-256 of what was read: of shape, classes, labels and pixels, or of a streamed set's file names, whose
  /// pictures may be mended between two readings. load_dataset fills it.
  std::string digest = {};

  [[nodiscard]] bool streamed() const noexcept { return !files.empty(); }
  [[nodiscard]] std::size_t picture_size() const noexcept { return height * width * channels; }
  /// Of a set in memory.
  [[nodiscard]] std::span<const std::uint8_t> picture(std::size_t i) const noexcept {
    return {pixels.data() + i * picture_size(), picture_size()};
  }
};

/// What a net sees of a test picture.
enum class TestPictures : std::uint8_t {
  Whole,
  Middle,  ///< inference_window (class_folder.h), scaled
};

struct DatasetInfo {
  std::string_view name;
  std::string_view description;
  std::string_view default_dir;  ///< "" when nothing is read from disk, or when a folder must be given
  std::string_view how_to_get;   ///< one sentence for whoever lacks the files
  std::size_t height, width, channels, classes;  ///< 0: what the folder holds
  Result<PictureSet> (*load)(const std::string& dir, Split split);
  TestPictures tests = TestPictures::Whole;

  /// Holds whatever is in a folder that the user names.
  [[nodiscard]] bool of_any_folder() const noexcept { return classes == 0; }
};

[[nodiscard]] std::span<const DatasetInfo> datasets() noexcept;
[[nodiscard]] const DatasetInfo* find_dataset(std::string_view name) noexcept;

/// `dir` empty: the data set's default folder. An unknown name's message holds the nearest known one.
Result<PictureSet> load_dataset(std::string_view name, const std::string& dir, Split split);

/// Picture i as inference sees it, [height][width][channels]: a view into the set, or of `buffer`, into which
/// the file of a streamed set was decoded, scaled and cut (class_folder.h). Errors name the file.
Result<std::span<const std::uint8_t>> inference_picture(const PictureSet& set, std::size_t i,
                                                        std::vector<std::uint8_t>& buffer);

/// The digest of a set in memory.
[[nodiscard]] std::string digest_of(const PictureSet& set);

}  // namespace bitplane::engine::data
