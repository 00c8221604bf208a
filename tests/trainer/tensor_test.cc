// SPDX-License-Identifier: Apache-2.0
#include "trainer/tensor/tensor.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "trainer/tensor/storage_pool.h"
#include "trainer/tensor/thread_pool.h"

namespace bitplane::train {
namespace {

TEST(ShapeTest, SizesAndText) {
  const Shape s{2, 3, 4, 5};
  EXPECT_EQ(s.size(), 120U);
  EXPECT_EQ(s.rows(), 24U);
  EXPECT_EQ(s.back(), 5U);
  EXPECT_EQ(s.str(), "[2, 3, 4, 5]");
  EXPECT_EQ(Shape{}.size(), 1U);
  EXPECT_THROW((Shape{1, 2, 3, 4, 5}), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(s[4]), std::out_of_range);
}

TEST(ShapeTest, AMismatchNamesBothShapes) {
  try {
    expect_shape({2, 3}, {2, 4}, "bias");
    FAIL() << "did not throw";
  } catch (const std::invalid_argument& e) {
    EXPECT_EQ(std::string(e.what()), "bias: got [2, 3], expected [2, 4]");
  }
}

TEST(TensorTest, CopiesShareAndClonesDoNot) {
  Tensor a = Tensor::filled({2, 2}, 1.0F);
  Tensor b = a;
  const Tensor c = a.clone();
  EXPECT_FALSE(a.unique());
  b.mutable_data()[3] = 5.0F;
  EXPECT_EQ(a.data()[3], 5.0F);
  EXPECT_EQ(c.data()[3], 1.0F);
  EXPECT_TRUE(c.unique());
}

TEST(TensorTest, ReshapeChecksTheSize) {
  const Tensor a = Tensor::zeros({2, 6});
  EXPECT_EQ(a.reshaped({3, 4}).data(), a.data());
  EXPECT_THROW(static_cast<void>(a.reshaped({5, 2})), std::invalid_argument);
  const std::vector<float> five(5);
  EXPECT_THROW(static_cast<void>(Tensor::from({2, 2}, five)), std::invalid_argument);
}

TEST(StoragePoolTest, AFreedBlockIsHandedOutAgain) {
  StoragePool pool;
  const float* first = pool.allocate(1000).get();
  EXPECT_GT(pool.counters().cached_bytes, 0U);
  // A slightly smaller request falls into the same class of sizes.
  const auto again = pool.allocate(990);
  EXPECT_EQ(again.get(), first);
  EXPECT_EQ(pool.counters().system_requests, 1U);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(again.get()) % 64, 0U);
}

TEST(StoragePoolTest, EverySizeHoldsWhatWasAskedFor) {
  StoragePool pool;
  for (std::size_t size : {0U, 1U, 63U, 64U, 65U, 79U, 80U, 81U, 127U, 128U, 129U, 1000U, 4097U}) {
    const auto block = pool.allocate(size);
    for (std::size_t i = 0; i < size; ++i) block[i] = 1.0F;  // the address sanitizer watches
  }
}

TEST(StoragePoolTest, TrimGivesBackAndTensorsMayOutliveThePool) {
  std::shared_ptr<float[]> survivor;
  {
    StoragePool pool;
    survivor = pool.allocate(100);
    static_cast<void>(pool.allocate(50));
    pool.trim();
    EXPECT_EQ(pool.counters().cached_bytes, 0U);
  }
  survivor[0] = 1.0F;
}

TEST(ThreadPoolTest, EveryChunkRunsOnce) {
  for (const std::size_t threads : {1U, 2U, 3U, 5U}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.size(), threads);
    for (const std::size_t chunks : {0U, 1U, 2U, 3U, 7U, 100U}) {
      std::vector<std::atomic<int>> runs(chunks);
      pool.parallel_for(chunks, [&](std::size_t chunk, std::size_t runner) {
        ASSERT_LT(runner, threads);
        ++runs[chunk];
      });
      for (const auto& r : runs) EXPECT_EQ(r.load(), 1);
    }
  }
}

TEST(ThreadPoolTest, RangesCoverEverythingInFixedPieces) {
  ThreadPool pool(2);
  std::vector<std::atomic<int>> runs(103);
  pool.parallel_ranges(103, 10, [&](std::size_t begin, std::size_t end, std::size_t) {
    EXPECT_EQ(begin % 10, 0U);
    for (std::size_t i = begin; i < end; ++i) ++runs[i];
  });
  for (const auto& r : runs) EXPECT_EQ(r.load(), 1);
}

TEST(ThreadPoolTest, TheFirstExceptionComesBack) {
  for (const std::size_t threads : {1U, 3U}) {
    ThreadPool pool(threads);
    const auto loop = [&] {
      pool.parallel_for(50, [](std::size_t chunk, std::size_t) {
        if (chunk == 20 || chunk == 40) throw std::runtime_error("chunk " + std::to_string(chunk));
      });
    };
    try {
      loop();
      FAIL() << "did not throw";
    } catch (const std::runtime_error& e) {
      EXPECT_EQ(std::string(e.what()), "chunk 20");
    }
    EXPECT_THROW(loop(), std::runtime_error);  // and the pool still works
  }
}

TEST(ThreadPoolTest, ManySmallLoops) {
  ThreadPool pool(3);
  std::size_t total = 0;
  for (int i = 0; i < 2000; ++i) {
    std::vector<std::size_t> parts(4);
    pool.parallel_for(4, [&](std::size_t chunk, std::size_t) { parts[chunk] = chunk; });
    for (const std::size_t p : parts) total += p;
  }
  EXPECT_EQ(total, 2000U * 6U);
}

}  // namespace
}  // namespace bitplane::train
