// SPDX-License-Identifier: Apache-2.0
#include "engine/data/fashion_mnist.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "engine/data/file_bytes.h"
#include "engine/data/idx.h"

namespace bitplane::engine::data {
namespace {

constexpr std::size_t kSide = 28;
const std::vector<std::string>& class_names() {
  static const std::vector<std::string> names{"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                                              "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};
  return names;
}

/// `name` in `dir`, plain or with .gz.
Result<std::string> find_file(const std::string& dir, const std::string& name) {
  const std::string plain = (std::filesystem::path(dir) / name).string();
  std::error_code ignored;
  for (const std::string& path : {plain, plain + ".gz"}) {
    if (std::filesystem::exists(path, ignored)) return path;
  }
  std::string how = " --data-dir names another folder";
  if (const DatasetInfo* info = find_dataset("fashion-mnist"))
    how = std::string(info->how_to_get) + ";" + how;
  return Status(StatusCode::NotFound, plain + "[.gz]: no such file; " + how);
}

Result<PictureSet> read(const std::string& dir, Split split) {
  const std::string stem = split == Split::Train ? "train" : "t10k";
  const auto pictures_path = find_file(dir, stem + "-images-idx3-ubyte");
  if (!pictures_path.ok()) return pictures_path.status();
  const auto labels_path = find_file(dir, stem + "-labels-idx1-ubyte");
  if (!labels_path.ok()) return labels_path.status();
  auto pictures = read_idx_pictures(pictures_path.value());
  if (!pictures.ok()) return pictures.status();
  const auto labels = read_idx_labels(labels_path.value(), class_names().size());
  if (!labels.ok()) return labels.status();
  if (pictures->height != kSide || pictures->width != kSide) {
    return Status(StatusCode::InvalidFile,
                  pictures_path.value() + ": found pictures of " + std::to_string(pictures->height) + "x" +
                      std::to_string(pictures->width) + ", expected 28x28; is it another data set's file?");
  }
  if (labels->size() != pictures->count) {
    return Status(StatusCode::InvalidFile, labels_path.value() + ": found " + std::to_string(labels->size()) +
                                               " labels, expected " + std::to_string(pictures->count) +
                                               ", as many as there are pictures in " + pictures_path.value() +
                                               "; get both files again");
  }
  return PictureSet{.count = pictures->count,
                    .height = kSide,
                    .width = kSide,
                    .channels = 1,
                    .pixels = std::move(pictures->pixels),
                    .labels = {labels->begin(), labels->end()},
                    .class_names = class_names()};
}

}  // namespace

Result<PictureSet> load_fashion_mnist(const std::string& dir, Split split) {
  return without_exceptions(dir, [&] { return read(dir, split); });
}

}  // namespace bitplane::engine::data
