// SPDX-License-Identifier: Apache-2.0
#include "engine/data/cifar.h"

#include <filesystem>
#include <span>
#include <string_view>
#include <utility>

#include "engine/data/file_bytes.h"

namespace bitplane::engine::data {
namespace {

constexpr std::size_t kSide = 32, kPlane = kSide * kSide, kChannels = 3;
constexpr std::size_t kMaxFileBytes = std::size_t{1} << 31;

struct CifarFormat {
  std::string_view dataset;                   ///< its name in the list
  std::span<const std::size_t> label_bounds;  ///< of each label byte; the last one is the class
  std::span<const std::string_view> train_files, test_files;
  const std::vector<std::string>& class_names;

  [[nodiscard]] std::size_t record() const noexcept { return label_bounds.size() + kChannels * kPlane; }
};

Status missing(const CifarFormat& format, const std::string& path) {
  const DatasetInfo* info = find_dataset(format.dataset);
  return {StatusCode::NotFound, path + ": no such file; " + (info ? std::string(info->how_to_get) : "")};
}

/// Red, green and blue planes into interleaved pixels.
void interleave(std::span<const std::uint8_t> planes, std::uint8_t* pixels) noexcept {
  for (std::size_t p = 0; p < kPlane; ++p) {
    for (std::size_t c = 0; c < kChannels; ++c) pixels[p * kChannels + c] = planes[c * kPlane + p];
  }
}

struct BadLabel {
  std::uint8_t label = 0;
  std::size_t picture = 0, bound = 0;
};
Status bad_label(const std::string& path, const BadLabel& found) {
  return {StatusCode::InvalidFile, path + ": found label " + std::to_string(found.label) + " at picture " +
                                       std::to_string(found.picture) + ", expected a label from 0 to " +
                                       std::to_string(found.bound - 1) +
                                       "; is it another data set's file? Get it again"};
}

Status append_file(const CifarFormat& format, const std::string& path, PictureSet& set) {
  auto content = read_whole_file(path, kMaxFileBytes);
  if (!content.ok()) {
    return content.status().code() == StatusCode::NotFound ? missing(format, path) : content.status();
  }
  const std::span<const std::uint8_t> bytes(content.value());
  if (bytes.empty() || bytes.size() % format.record() != 0) {
    return {StatusCode::InvalidFile, path + ": found " + std::to_string(bytes.size()) +
                                         " bytes, expected a multiple of " + std::to_string(format.record()) +
                                         ", the size of a record of " + std::string(format.dataset) +
                                         ": it is truncated or another file; get it again"};
  }
  const std::size_t count = bytes.size() / format.record();
  set.pixels.resize((set.count + count) * set.picture_size());
  for (std::size_t i = 0; i < count; ++i) {
    const auto record = bytes.subspan(i * format.record(), format.record());
    for (std::size_t l = 0; l < format.label_bounds.size(); ++l) {
      if (record[l] < format.label_bounds[l]) continue;
      return bad_label(path, {.label = record[l], .picture = i, .bound = format.label_bounds[l]});
    }
    set.labels.push_back(record[format.label_bounds.size() - 1]);
    interleave(record.subspan(format.label_bounds.size()),
               set.pixels.data() + (set.count + i) * set.picture_size());
  }
  set.count += count;
  return {};
}

Result<PictureSet> read(const CifarFormat& format, const std::string& dir, Split split) {
  PictureSet set{.height = kSide,
                 .width = kSide,
                 .channels = kChannels,
                 .pixels = {},
                 .labels = {},
                 .class_names = format.class_names};
  for (const std::string_view name : split == Split::Train ? format.train_files : format.test_files) {
    const Status status = append_file(format, (std::filesystem::path(dir) / name).string(), set);
    if (!status.ok()) return status;
  }
  return set;
}

constexpr std::string_view kTrainFiles10[]{"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                                           "data_batch_4.bin", "data_batch_5.bin"};
constexpr std::string_view kTestFiles10[]{"test_batch.bin"};
constexpr std::string_view kTrainFiles100[]{"train.bin"};
constexpr std::string_view kTestFiles100[]{"test.bin"};
constexpr std::size_t kBounds10[]{10};
constexpr std::size_t kBounds100[]{20, 100};

const std::vector<std::string>& class_names10() {
  static const std::vector<std::string> names{"airplane", "automobile", "bird",  "cat",  "deer",
                                              "dog",      "frog",       "horse", "ship", "truck"};
  return names;
}

const std::vector<std::string>& class_names100() {
  static const std::vector<std::string> names{
      "apple",       "aquarium_fish", "baby",      "bear",       "beaver",       "bed",
      "bee",         "beetle",        "bicycle",   "bottle",     "bowl",         "boy",
      "bridge",      "bus",           "butterfly", "camel",      "can",          "castle",
      "caterpillar", "cattle",        "chair",     "chimpanzee", "clock",        "cloud",
      "cockroach",   "couch",         "crab",      "crocodile",  "cup",          "dinosaur",
      "dolphin",     "elephant",      "flatfish",  "forest",     "fox",          "girl",
      "hamster",     "house",         "kangaroo",  "keyboard",   "lamp",         "lawn_mower",
      "leopard",     "lion",          "lizard",    "lobster",    "man",          "maple_tree",
      "motorcycle",  "mountain",      "mouse",     "mushroom",   "oak_tree",     "orange",
      "orchid",      "otter",         "palm_tree", "pear",       "pickup_truck", "pine_tree",
      "plain",       "plate",         "poppy",     "porcupine",  "possum",       "rabbit",
      "raccoon",     "ray",           "road",      "rocket",     "rose",         "sea",
      "seal",        "shark",         "shrew",     "skunk",      "skyscraper",   "snail",
      "snake",       "spider",        "squirrel",  "streetcar",  "sunflower",    "sweet_pepper",
      "table",       "tank",          "telephone", "television", "tiger",        "tractor",
      "train",       "trout",         "tulip",     "turtle",     "wardrobe",     "whale",
      "willow_tree", "wolf",          "woman",     "worm"};
  return names;
}

}  // namespace

Result<PictureSet> load_cifar10(const std::string& dir, Split split) {
  return without_exceptions(dir, [&] {
    return read({.dataset = "cifar-10",
                 .label_bounds = kBounds10,
                 .train_files = kTrainFiles10,
                 .test_files = kTestFiles10,
                 .class_names = class_names10()},
                dir, split);
  });
}

Result<PictureSet> load_cifar100(const std::string& dir, Split split) {
  return without_exceptions(dir, [&] {
    return read({.dataset = "cifar-100",
                 .label_bounds = kBounds100,
                 .train_files = kTrainFiles100,
                 .test_files = kTestFiles100,
                 .class_names = class_names100()},
                dir, split);
  });
}

}  // namespace bitplane::engine::data
