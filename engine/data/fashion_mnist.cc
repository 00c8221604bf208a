// SPDX-License-Identifier: Apache-2.0
#include "engine/data/fashion_mnist.h"

#include "engine/data/file_bytes.h"
#include "engine/data/idx_folder.h"

namespace bitplane::engine::data {

Result<PictureSet> load_fashion_mnist(const std::string& dir, Split split) {
  return without_exceptions(dir, [&] {
    return read_idx_folder(dir, split,
                           {.dataset = "fashion-mnist",
                            .side = 28,
                            .class_names = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal",
                                            "Shirt", "Sneaker", "Bag", "Ankle boot"}});
  });
}

}  // namespace bitplane::engine::data
