// SPDX-License-Identifier: Apache-2.0
#include "engine/data/dataset.h"

#include <array>
#include <utility>

#include "engine/data/cifar.h"
#include "engine/data/class_folder.h"
#include "engine/data/fashion_mnist.h"
#include "engine/data/file_bytes.h"
#include "engine/data/idx_folder.h"
#include "engine/data/nearest_name.h"
#include "engine/data/picture.h"
#include "engine/data/resample.h"
#include "engine/data/synthetic.h"
#include "engine/src/io/sha256.h"

namespace bitplane::engine::data {
namespace {

constexpr auto kDatasets = std::to_array<DatasetInfo>({
    {.name = "cifar-10",
     .description = "50,000 + 10,000 colour pictures of animals and vehicles, 32x32, ten classes",
     .default_dir = "cifar-10-batches-bin",
     .how_to_get = "get cifar-10-binary.tar.gz from https://www.cs.toronto.edu/~kriz/cifar.html, unpack it, "
                   "and name its folder cifar-10-batches-bin with --data-dir",
     .height = 32,
     .width = 32,
     .channels = 3,
     .classes = 10,
     .load = load_cifar10},
    {.name = "cifar-100",
     .description = "50,000 + 10,000 colour pictures, 32x32, a hundred classes (the fine labels)",
     .default_dir = "cifar-100-binary",
     .how_to_get = "get cifar-100-binary.tar.gz from https://www.cs.toronto.edu/~kriz/cifar.html, unpack it, "
                   "and name its folder cifar-100-binary with --data-dir",
     .height = 32,
     .width = 32,
     .channels = 3,
     .classes = 100,
     .load = load_cifar100},
    {.name = "fashion-mnist",
     .description = "60,000 + 10,000 grey pictures of clothing, 28x28, ten classes",
     .default_dir = "/usr/share/datasets/fashion-mnist",
     .how_to_get =
         "on Debian or Ubuntu install the package dataset-fashion-mnist; elsewhere put "
         "train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz and "
         "t10k-labels-idx1-ubyte.gz from https://github.com/zalandoresearch/fashion-mnist in one folder, or "
         "use --data synthetic, which needs no files",
     .height = 28,
     .width = 28,
     .channels = 1,
     .classes = 10,
     .load = load_fashion_mnist},
    {.name = "folder",
     .description = "pictures of one size, one folder per class, held in memory",
     .default_dir = "",
     .how_to_get = "put PNG or JPEG files into DIR/train/CLASS/ and DIR/test/CLASS/ (or val/), and name DIR "
                   "with --data-dir",
     .height = 0,
     .width = 0,
     .channels = 0,
     .classes = 0,
     .load = load_folder},
    {.name = "folder-224",
     .description = "pictures of any size, one folder per class, read from disk while they are used; cut to "
                    "224x224 (ImageNet's way)",
     .default_dir = "",
     .how_to_get = "put PNG or JPEG files into DIR/train/CLASS/ and DIR/val/CLASS/ (or test/), and name DIR "
                   "with --data-dir",
     .height = kStreamedSide,
     .width = kStreamedSide,
     .channels = 3,
     .classes = 0,
     .load = list_folder_224,
     .tests = TestPictures::Middle},
    {.name = "idx",
     .description = "the four IDX files of MNIST and its relatives, grey pictures of any size",
     .default_dir = "",
     .how_to_get = "put train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and "
                   "t10k-labels-idx1-ubyte, plain or with .gz, in one folder and name it with --data-dir",
     .height = 0,
     .width = 0,
     .channels = 1,
     .classes = 0,
     .load = load_idx_folder},
    {.name = "synthetic",
     .description =
         "12,000 + 2,000 drawn pictures of shapes and textures, 28x28, ten classes; nothing to download",
     .default_dir = "",
     .how_to_get = "made by the program itself",
     .height = 28,
     .width = 28,
     .channels = 1,
     .classes = 10,
     .load = load_synthetic},
});

}  // namespace

std::string_view split_name(Split split) noexcept {
  return split == Split::Train ? "train" : "test";
}

std::span<const DatasetInfo> datasets() noexcept {
  return kDatasets;
}

const DatasetInfo* find_dataset(std::string_view name) noexcept {
  for (const DatasetInfo& info : kDatasets) {
    if (info.name == name) return &info;
  }
  return nullptr;
}

Result<PictureSet> load_dataset(std::string_view name, const std::string& dir, Split split) {
  const DatasetInfo* info = find_dataset(name);
  if (info == nullptr) {
    std::array<std::string_view, kDatasets.size()> known;
    for (std::size_t i = 0; i < known.size(); ++i) known[i] = kDatasets[i].name;
    return Status(StatusCode::InvalidArgument, unknown_name_message("data set", name, known));
  }
  if (info->of_any_folder() && dir.empty()) {
    return Status(StatusCode::InvalidArgument, "data set '" + std::string(name) + "' needs --data-dir DIR: " +
                                                   std::string(info->how_to_get));
  }
  auto set = info->load(dir.empty() ? std::string(info->default_dir) : dir, split);
  if (set.ok() && !set->streamed()) set->digest = digest_of(set.value());
  return set;
}

std::string digest_of(const PictureSet& set) {
  Sha256 sha;
  const auto add_text = [&](const std::string& text) { sha.update(std::as_bytes(std::span(text))); };
  add_text(std::to_string(set.count) + " pictures " + std::to_string(set.height) + "x" +
           std::to_string(set.width) + "x" + std::to_string(set.channels) + "\n");
  for (const std::string& name : set.class_names) add_text(name + "\n");
  for (const std::uint16_t label : set.labels) {
    const std::array<std::uint8_t, 2> bytes{static_cast<std::uint8_t>(label & 0xff),
                                            static_cast<std::uint8_t>(label >> 8)};
    sha.update(std::as_bytes(std::span(bytes)));
  }
  sha.update(std::as_bytes(std::span(set.pixels)));
  return sha.finish();
}

Result<std::span<const std::uint8_t>> inference_picture(const PictureSet& set, std::size_t i,
                                                        std::vector<std::uint8_t>& buffer) {
  using View = std::span<const std::uint8_t>;
  if (!set.streamed()) return set.picture(i);
  return without_exceptions(set.files[i], [&]() -> Result<View> {
    auto picture = read_picture(set.files[i], set.channels);
    if (!picture.ok()) return picture.status();
    buffer = resample(picture.value(), inference_window(picture.value(), set.height, set.width), set.height,
                      set.width)
                 .pixels;
    return View(buffer);
  });
}

}  // namespace bitplane::engine::data
