// SPDX-License-Identifier: Apache-2.0
//
// The loader: the same bytes for any number of workers, errors in their place, clean ends at any moment.
#include "trainer/data/loader.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "engine/data/picture.h"
#include "trainer/run_support.h"
#include "trainer/tensor/storage_pool.h"

namespace bitplane::train {
namespace {

using engine::data::PictureSet;
using testing::message_of;

PictureSet drawn_set(std::size_t count) {
  PictureSet set{
      .count = count, .height = 5, .width = 4, .channels = 3, .pixels = {}, .labels = {}, .class_names = {}};
  Random random(17, 4);
  for (std::size_t e = 0; e < count * set.picture_size(); ++e)
    set.pixels.push_back(static_cast<std::uint8_t>(random.below(256)));
  for (std::size_t i = 0; i < count; ++i) set.labels.push_back(static_cast<std::uint16_t>(i));
  for (std::size_t i = 0; i < count; ++i) set.class_names.push_back(std::to_string(i));
  return set;
}

constexpr Augmentation kAugmentation{.crop_padding = 2, .flip = 0.5, .brightness = 0.4};

/// Every batch from (epoch, step) to the end, as one row of floats and one of labels.
struct Stream {
  std::vector<float> values;
  std::vector<std::uint16_t> labels;
  std::vector<std::size_t> sizes;
  friend bool operator==(const Stream&, const Stream&) = default;
};

Stream read_all(const PictureMaker& maker, const LoaderOptions& options) {
  Loader loader(maker, options);
  const std::size_t per_epoch = (maker.set().count + options.batch - 1) / options.batch;
  Stream stream;
  for (std::size_t n = options.epoch * per_epoch + options.step; n < options.epochs * per_epoch; ++n) {
    const Batch& batch = loader.next();
    EXPECT_EQ(batch.pictures.shape()[0], batch.labels.size());
    stream.values.insert(stream.values.end(), batch.pictures.values().begin(), batch.pictures.values().end());
    stream.labels.insert(stream.labels.end(), batch.labels.begin(), batch.labels.end());
    stream.sizes.push_back(batch.labels.size());
  }
  EXPECT_THROW((void)loader.next(), std::out_of_range);
  return stream;
}

TEST(Loader, GivesTheSameBytesForAnyNumberOfWorkers) {
  for (const std::size_t count : {1, 7, 8, 9, 61}) {
    const PictureSet set = drawn_set(count);
    const PictureMaker maker(set, measure_preprocessing(set), kAugmentation, 3);
    for (const std::size_t batch : {1, 8, 20, 100}) {
      LoaderOptions options{.batch = batch, .workers = 0, .seed = 3, .epochs = 3};
      const Stream expected = read_all(maker, options);
      EXPECT_EQ(expected.labels.size(), 3 * count);
      for (std::size_t workers = 1; workers <= 3; ++workers) {
        options.workers = workers;
        EXPECT_EQ(read_all(maker, options), expected)
            << count << " pictures, batch " << batch << ", " << workers << " workers";
      }
    }
  }
}

/// Against batches made one by one, from the documented functions.
TEST(Loader, EqualsThePicturesOfTheOrder) {
  const PictureSet set = drawn_set(21);
  const PictureMaker maker(set, measure_preprocessing(set), kAugmentation, 3);
  Loader loader(maker, {.batch = 8, .workers = 2, .seed = 9, .epochs = 2});
  for (std::uint64_t epoch = 0; epoch < 2; ++epoch) {
    const auto order = epoch_order(9, epoch, 21);
    for (std::size_t first = 0; first < 21; first += 8) {
      const Batch expected =
          maker.batch(epoch, std::span(order).subspan(first, std::min<std::size_t>(8, 21 - first)));
      const Batch& batch = loader.next();
      EXPECT_EQ(batch.labels, expected.labels);
      ASSERT_EQ(batch.pictures.shape(), expected.pictures.shape());
      EXPECT_EQ(
          std::memcmp(batch.pictures.data(), expected.pictures.data(), batch.pictures.size() * sizeof(float)),
          0);
    }
  }
}

TEST(Loader, BeginsAnywhere) {
  const PictureSet set = drawn_set(21);
  const PictureMaker maker(set, measure_preprocessing(set), kAugmentation, 3);
  const Stream whole = read_all(maker, {.batch = 8, .workers = 2, .seed = 3, .epochs = 3});
  for (std::uint64_t epoch = 0; epoch < 3; ++epoch) {
    for (std::uint64_t step = 0; step < 3; ++step) {
      const Stream rest =
          read_all(maker, {.batch = 8, .workers = 2, .seed = 3, .epoch = epoch, .step = step, .epochs = 3});
      const std::size_t skipped = epoch * 21 + step * 8;
      EXPECT_EQ(rest.labels,
                std::vector(whole.labels.begin() + static_cast<std::ptrdiff_t>(skipped), whole.labels.end()));
      EXPECT_TRUE(std::equal(rest.values.begin(), rest.values.end(),
                             whole.values.begin() + static_cast<std::ptrdiff_t>(skipped * 60)));
    }
  }
}

TEST(Loader, ABatchThatTheCallerKeepsIsNotOverwritten) {
  const PictureSet set = drawn_set(40);
  const PictureMaker maker(set, measure_preprocessing(set), {}, 3);
  Loader loader(maker, {.batch = 4, .workers = 2, .seed = 3, .epochs = 1});
  const Tensor kept = loader.next().pictures;
  const std::vector<float> copy(kept.values().begin(), kept.values().end());
  for (int i = 1; i < 10; ++i) (void)loader.next();
  EXPECT_TRUE(std::equal(copy.begin(), copy.end(), kept.values().begin()));
}

TEST(Loader, AsksTheSystemForNothingInASteadyState) {
  const PictureSet set = drawn_set(64);
  const PictureMaker maker(set, measure_preprocessing(set), kAugmentation, 3);
  Loader loader(maker, {.batch = 16, .workers = 2, .seed = 3, .epochs = 100});
  for (int i = 0; i < 8; ++i) (void)loader.next();
  const std::size_t before = StoragePool::instance().counters().system_requests;
  for (int i = 0; i < 300; ++i) (void)loader.next();
  EXPECT_EQ(StoragePool::instance().counters().system_requests, before);
}

/// Ends at any moment: at once, in the middle of batches, while a batch is held, after the last one.
TEST(Loader, StopsAtAnyMoment) {
  const PictureSet set = drawn_set(100);
  const PictureMaker maker(set, measure_preprocessing(set), kAugmentation, 3);
  for (std::size_t round = 0; round < 120; ++round) {
    Loader loader(maker, {.batch = 1 + round % 13, .workers = round % 5, .seed = 3, .epochs = 2});
    for (std::size_t n = 0; n < round % 9; ++n) (void)loader.next();
    if (round % 3 == 0) std::this_thread::sleep_for(std::chrono::microseconds(round * 3));
  }
}

/// A streamed set of small PNG files, one of which may be damaged.
class StreamedSet {
 public:
  explicit StreamedSet(std::size_t count) {
    set_ = {.count = count,
            .height = 8,
            .width = 8,
            .channels = 3,
            .pixels = {},
            .labels = std::vector<std::uint16_t>(count),
            .class_names = {"a", "b"}};
    for (std::size_t i = 0; i < count; ++i) {
      engine::data::Picture picture{6 + i % 5, 9 + i % 3, 3, {}};
      Random random(5, i);
      for (std::size_t e = 0; e < picture.height * picture.width * 3; ++e)
        picture.pixels.push_back(static_cast<std::uint8_t>(random.below(256)));
      set_.files.push_back(folder_ / (std::to_string(i) + ".png"));
      EXPECT_TRUE(engine::data::write_png(set_.files.back(), picture).ok());
    }
  }
  void damage(std::size_t i) const { std::ofstream(set_.files[i]) << "no picture"; }
  [[nodiscard]] const PictureSet& set() const { return set_; }

 private:
  testing::TemporaryFolder folder_;
  PictureSet set_;
};

TEST(Loader, StreamsFilesWithTheSameBytesForAnyNumberOfWorkers) {
  const StreamedSet files(23);
  const Preprocessing preprocessing = measure_preprocessing(files.set());
  EXPECT_EQ(preprocessing.mean.size(), 3U);
  for (const double area : {0.0, 0.2}) {
    const PictureMaker maker(files.set(), preprocessing, {.crop_area = area, .flip = 0.5, .contrast = 0.3},
                             3);
    LoaderOptions options{.batch = 10, .workers = 0, .seed = 3, .epochs = 2};
    const Stream expected = read_all(maker, options);
    for (options.workers = 1; options.workers <= 3; ++options.workers)
      EXPECT_EQ(read_all(maker, options), expected) << options.workers;
  }
  EXPECT_THROW(PictureMaker(files.set(), preprocessing, {.crop_padding = 1}, 3), std::invalid_argument);
  EXPECT_THROW((void)measure_preprocessing(files.set(), "pixel-mean"), std::invalid_argument);
}

TEST(Loader, ADamagedFileIsNamedWhenItsTurnComes) {
  const StreamedSet files(40);
  files.damage(29);
  files.damage(25);
  const PictureMaker maker(files.set(), measure_preprocessing(files.set()));
  for (std::size_t workers = 0; workers <= 3; ++workers) {
    Loader loader(maker, {.batch = 10, .workers = workers, .order = PictureOrder::AsStored, .epochs = 1});
    EXPECT_EQ(loader.next().labels.size(), 10U);
    EXPECT_EQ(loader.next().labels.size(), 10U);
    const auto message = message_of<cli::CommandError>([&] { (void)loader.next(); });
    EXPECT_NE(message.find("25.png"), std::string::npos) << workers << ": " << message;
  }
}

TEST(Loader, RefusesNothingToLoad) {
  const PictureSet set = drawn_set(3);
  const PictureMaker maker(set, measure_preprocessing(set));
  EXPECT_THROW(Loader(maker, {.batch = 0}), std::invalid_argument);
}

}  // namespace
}  // namespace bitplane::train
