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

/// A whole split in memory.
struct PictureSet {
  std::size_t count = 0, height = 0, width = 0, channels = 0;
  std::vector<std::uint8_t> pixels;   ///< [count][height][width][channels]
  std::vector<std::uint16_t> labels;  ///< [count], below class_names.size()
  std::vector<std::string> class_names;

  [[nodiscard]] std::size_t picture_size() const noexcept { return height * width * channels; }
  [[nodiscard]] std::span<const std::uint8_t> picture(std::size_t i) const noexcept {
    return {pixels.data() + i * picture_size(), picture_size()};
  }
};

struct DatasetInfo {
  std::string_view name;
  std::string_view description;
  std::string_view default_dir;  ///< "" when nothing is read from disk
  std::string_view how_to_get;   ///< one sentence for whoever lacks the files
  std::size_t height, width, channels, classes;
  Result<PictureSet> (*load)(const std::string& dir, Split split);
};

[[nodiscard]] std::span<const DatasetInfo> datasets() noexcept;
[[nodiscard]] const DatasetInfo* find_dataset(std::string_view name) noexcept;

/// `dir` empty: the data set's default folder. An unknown name's message holds the nearest known one.
Result<PictureSet> load_dataset(std::string_view name, const std::string& dir, Split split);

}  // namespace bitplane::engine::data
