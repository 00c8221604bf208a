// SPDX-License-Identifier: Apache-2.0
#include "engine/data/dataset.h"

#include <array>

#include "engine/data/cifar.h"
#include "engine/data/fashion_mnist.h"
#include "engine/data/nearest_name.h"
#include "engine/data/synthetic.h"

namespace bitplane::engine::data {
namespace {

constexpr std::array<DatasetInfo, 3> kDatasets{{
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
}};

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
  if (const DatasetInfo* info = find_dataset(name)) {
    return info->load(dir.empty() ? std::string(info->default_dir) : dir, split);
  }
  std::array<std::string_view, kDatasets.size()> known;
  for (std::size_t i = 0; i < known.size(); ++i) known[i] = kDatasets[i].name;
  return Status(StatusCode::InvalidArgument, unknown_name_message("data set", name, known));
}

}  // namespace bitplane::engine::data
