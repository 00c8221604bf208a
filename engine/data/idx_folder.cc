// SPDX-License-Identifier: Apache-2.0
#include "engine/data/idx_folder.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "engine/data/file_bytes.h"
#include "engine/data/idx.h"

namespace bitplane::engine::data {
namespace {

constexpr std::size_t kMaxClasses = 256;

const char* stem(Split split) noexcept {
  return split == Split::Train ? "train" : "t10k";
}

/// `name` in `dir`, plain or with .gz.
Result<std::string> find_file(const std::string& dir, const std::string& name, std::string_view dataset) {
  const std::string plain = (std::filesystem::path(dir) / name).string();
  std::error_code ignored;
  for (const std::string& path : {plain, plain + ".gz"}) {
    if (std::filesystem::exists(path, ignored)) return path;
  }
  std::string how = " --data-dir names another folder";
  if (const DatasetInfo* info = find_dataset(dataset)) how = std::string(info->how_to_get) + ";" + how;
  return Status(StatusCode::NotFound, plain + "[.gz]: no such file; " + how);
}

Result<std::string> find_labels(const std::string& dir, Split split, std::string_view dataset) {
  return find_file(dir, std::string(stem(split)) + "-labels-idx1-ubyte", dataset);
}

Result<std::vector<std::string>> numbered_classes(const std::string& dir, std::string_view dataset) {
  auto path = find_labels(dir, Split::Train, dataset);
  if (!path.ok()) path = find_labels(dir, Split::Test, dataset);
  if (!path.ok()) return path.status();
  const auto labels = read_idx_labels(path.value(), kMaxClasses);
  if (!labels.ok()) return labels.status();
  std::vector<std::string> names;
  const std::size_t last = *std::max_element(labels->begin(), labels->end());  // a file has one at least
  for (std::size_t c = 0; c <= last; ++c) names.push_back(std::to_string(c));
  return names;
}

}  // namespace

Result<PictureSet> read_idx_folder(const std::string& dir, Split split, const IdxSet& expected) {
  const auto pictures_path =
      find_file(dir, std::string(stem(split)) + "-images-idx3-ubyte", expected.dataset);
  if (!pictures_path.ok()) return pictures_path.status();
  const auto labels_path = find_labels(dir, split, expected.dataset);
  if (!labels_path.ok()) return labels_path.status();
  auto pictures = read_idx_pictures(pictures_path.value());
  if (!pictures.ok()) return pictures.status();
  const auto labels = read_idx_labels(labels_path.value(), expected.class_names.size());
  if (!labels.ok()) return labels.status();
  if (expected.side != 0 && (pictures->height != expected.side || pictures->width != expected.side)) {
    const std::string side = std::to_string(expected.side);
    return Status(StatusCode::InvalidFile, pictures_path.value() + ": found pictures of " +
                                               std::to_string(pictures->height) + "x" +
                                               std::to_string(pictures->width) + ", expected " + side + "x" +
                                               side + "; is it another data set's file?");
  }
  if (labels->size() != pictures->count) {
    return Status(StatusCode::InvalidFile, labels_path.value() + ": found " + std::to_string(labels->size()) +
                                               " labels, expected " + std::to_string(pictures->count) +
                                               ", as many as there are pictures in " + pictures_path.value() +
                                               "; get both files again");
  }
  return PictureSet{.count = pictures->count,
                    .height = pictures->height,
                    .width = pictures->width,
                    .channels = 1,
                    .pixels = std::move(pictures->pixels),
                    .labels = {labels->begin(), labels->end()},
                    .class_names = expected.class_names};
}

Result<PictureSet> load_idx_folder(const std::string& dir, Split split) {
  return without_exceptions(dir, [&]() -> Result<PictureSet> {
    constexpr std::string_view kName = "idx";
    auto classes = numbered_classes(dir, kName);
    if (!classes.ok()) return classes.status();
    return read_idx_folder(dir, split,
                           {.dataset = kName, .side = 0, .class_names = std::move(classes).value()});
  });
}

}  // namespace bitplane::engine::data
