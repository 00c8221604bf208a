// SPDX-License-Identifier: Apache-2.0
#include "engine/data/cifar.h"

#include <gtest/gtest.h>

#include "data/support.h"

namespace bitplane::engine::data {
namespace {

using testing::Bytes;
using testing::TemporaryFolder;

constexpr std::size_t kPlane = 32 * 32, kRecord = 1 + 3 * kPlane;

/// Picture `number`: red counts up along the pixels, green is constant, blue counts down.
Bytes record(std::uint8_t label, std::uint8_t number) {
  Bytes bytes{label};
  for (std::size_t p = 0; p < kPlane; ++p) bytes.push_back(static_cast<std::uint8_t>(p + number));
  bytes.insert(bytes.end(), kPlane, number);
  for (std::size_t p = 0; p < kPlane; ++p) bytes.push_back(static_cast<std::uint8_t>(255 - p));
  return bytes;
}

Bytes file_of(const std::vector<Bytes>& records) {
  Bytes bytes;
  for (const Bytes& one : records) bytes.insert(bytes.end(), one.begin(), one.end());
  return bytes;
}

void write_train(const TemporaryFolder& folder) {
  for (std::uint8_t batch = 1; batch <= 5; ++batch) {
    folder.write("data_batch_" + std::to_string(batch) + ".bin",
                 file_of({record(batch, batch), record(0, static_cast<std::uint8_t>(batch + 100))}));
  }
}

TEST(Cifar10, InterleavesThePlanes) {
  const TemporaryFolder folder;
  folder.write("test_batch.bin", file_of({record(9, 3), record(0, 50), record(6, 200)}));
  const auto set = load_cifar10(folder.path(), Split::Test);
  ASSERT_TRUE(set.ok()) << set.status().message();
  EXPECT_EQ(set->count, 3U);
  EXPECT_EQ(set->height, 32U);
  EXPECT_EQ(set->width, 32U);
  EXPECT_EQ(set->channels, 3U);
  EXPECT_EQ(set->labels, (std::vector<std::uint16_t>{9, 0, 6}));
  EXPECT_EQ(set->class_names[9], "truck");
  EXPECT_EQ(set->class_names[6], "frog");
  const std::uint8_t numbers[]{3, 50, 200};
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t p = 0; p < kPlane; ++p) {
      const auto pixel = set->picture(i).subspan(p * 3, 3);
      ASSERT_EQ(pixel[0], static_cast<std::uint8_t>(p + numbers[i])) << i << " " << p;
      ASSERT_EQ(pixel[1], numbers[i]) << i << " " << p;
      ASSERT_EQ(pixel[2], static_cast<std::uint8_t>(255 - p)) << i << " " << p;
    }
  }
}

TEST(Cifar10, TrainingIsTheFiveBatchesInTheirOrder) {
  const TemporaryFolder folder;
  write_train(folder);
  const auto set = load_cifar10(folder.path(), Split::Train);
  ASSERT_TRUE(set.ok()) << set.status().message();
  EXPECT_EQ(set->labels, (std::vector<std::uint16_t>{1, 0, 2, 0, 3, 0, 4, 0, 5, 0}));
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(set->picture(i)[1], i / 2 + 1 + (i % 2) * 100) << i;
  }
}

TEST(Cifar10, AMissingBatchIsNamedWithTheWayToGetIt) {
  const TemporaryFolder folder;
  write_train(folder);
  std::filesystem::remove(folder.file("data_batch_4.bin"));
  const auto set = load_cifar10(folder.path(), Split::Train);
  ASSERT_FALSE(set.ok());
  EXPECT_EQ(set.status().code(), StatusCode::NotFound);
  for (const char* part : {"data_batch_4.bin", "cifar-10-binary.tar.gz", "--data-dir"}) {
    EXPECT_NE(set.status().message().find(part), std::string::npos) << part << ": " << set.status().message();
  }
}

TEST(Cifar10, ALabelAboveTheClassesIsRefused) {
  const TemporaryFolder folder;
  folder.write("test_batch.bin", file_of({record(9, 3), record(10, 50)}));
  const auto set = load_cifar10(folder.path(), Split::Test);
  ASSERT_FALSE(set.ok());
  EXPECT_EQ(set.status().code(), StatusCode::InvalidFile);
  EXPECT_NE(set.status().message().find("label 10 at picture 1"), std::string::npos)
      << set.status().message();
}

/// Cut at every kind of place: nothing, in a label, in each plane, at and around the records' borders.
TEST(Cifar10, TruncatedFilesAreRefusedAtEveryBoundary) {
  const TemporaryFolder folder;
  const Bytes whole = file_of({record(1, 1), record(2, 2), record(3, 3)});
  for (std::size_t border = 0; border <= 3 * kRecord; border += kRecord) {
    for (const std::size_t part : {std::size_t{0}, std::size_t{1}, std::size_t{2}, kPlane, kPlane + 1,
                                   kPlane + 2, 2 * kPlane + 1, 3 * kPlane - 1, 3 * kPlane}) {
      const std::size_t size = border + part;
      if (size > whole.size() || (size % kRecord == 0 && size > 0)) continue;
      folder.write("test_batch.bin", {whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)});
      const auto set = load_cifar10(folder.path(), Split::Test);
      ASSERT_FALSE(set.ok()) << size;
      EXPECT_EQ(set.status().code(), StatusCode::InvalidFile) << size;
      EXPECT_NE(set.status().message().find("found " + std::to_string(size) + " bytes"), std::string::npos)
          << set.status().message();
      EXPECT_NE(set.status().message().find("test_batch.bin"), std::string::npos);
    }
  }
  Bytes longer = whole;
  longer.push_back(0);
  folder.write("test_batch.bin", longer);
  EXPECT_EQ(load_cifar10(folder.path(), Split::Test).status().code(), StatusCode::InvalidFile);
}

Bytes record100(std::uint8_t coarse, std::uint8_t fine, std::uint8_t number) {
  Bytes bytes = record(fine, number);
  bytes.insert(bytes.begin(), coarse);
  return bytes;
}

TEST(Cifar100, TakesTheFineLabel) {
  const TemporaryFolder folder;
  folder.write("train.bin", file_of({record100(19, 0, 7), record100(0, 99, 8), record100(3, 42, 9)}));
  const auto set = load_cifar100(folder.path(), Split::Train);
  ASSERT_TRUE(set.ok()) << set.status().message();
  EXPECT_EQ(set->labels, (std::vector<std::uint16_t>{0, 99, 42}));
  ASSERT_EQ(set->class_names.size(), 100U);
  EXPECT_EQ(set->class_names[0], "apple");
  EXPECT_EQ(set->class_names[42], "leopard");
  EXPECT_EQ(set->class_names[99], "worm");
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(set->picture(i)[0], 7 + i);
    EXPECT_EQ(set->picture(i)[1], 7 + i);
    EXPECT_EQ(set->picture(i)[2], 255);
    EXPECT_EQ(set->picture(i)[3 * 5], 7 + i + 5);
  }
}

TEST(Cifar100, BadLabelsAndSizesAreRefused) {
  const TemporaryFolder folder;
  const auto message = [&](const Bytes& bytes) {
    folder.write("test.bin", bytes);
    const auto set = load_cifar100(folder.path(), Split::Test);
    EXPECT_EQ(set.status().code(), StatusCode::InvalidFile);
    return set.status().message();
  };
  EXPECT_NE(message(record100(20, 0, 1)).find("label 20 at picture 0, expected a label from 0 to 19"),
            std::string::npos);
  EXPECT_NE(message(record100(1, 100, 1)).find("label 100 at picture 0, expected a label from 0 to 99"),
            std::string::npos);
  EXPECT_NE(message(record(1, 1)).find("found 3073 bytes, expected a multiple of 3074"), std::string::npos)
      << "a file of CIFAR-10";
  EXPECT_EQ(load_cifar100(folder.path(), Split::Train).status().code(), StatusCode::NotFound);
}

}  // namespace
}  // namespace bitplane::engine::data
