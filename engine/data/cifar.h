// SPDX-License-Identifier: Apache-2.0
//
// CIFAR-10 and CIFAR-100 (Krizhevsky 2009) in their binary versions: 50,000 + 10,000 colour pictures of
// 32x32. A file is a row of records: one byte for the label (CIFAR-100: one of 20 coarse labels, then one of
// 100 fine ones), then 1024 bytes of red, 1024 of green and 1024 of blue. Pictures come out interleaved, like
// those of every other data set.
#pragma once

#include "engine/data/dataset.h"

namespace bitplane::engine::data {

/// `dir` holds data_batch_1.bin to data_batch_5.bin and test_batch.bin. A file may have any number of whole
/// records, so that a part of the set serves as well.
Result<PictureSet> load_cifar10(const std::string& dir, Split split);

/// `dir` holds train.bin and test.bin. The fine labels are used; the coarse ones must be in range.
Result<PictureSet> load_cifar100(const std::string& dir, Split split);

}  // namespace bitplane::engine::data
