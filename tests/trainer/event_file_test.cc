// SPDX-License-Identifier: Apache-2.0
#include "trainer/run/event_file.h"

#include <gtest/gtest.h>

#include <array>
#include <fstream>

#include "trainer/checkpoint/file.h"
#include "trainer/event_reader.h"
#include "trainer/run/crc32c.h"
#include "trainer/run_support.h"

namespace bitplane::train {
namespace {

using testing::EventReader;
using testing::ReadEvent;
using testing::TemporaryFolder;

std::uint32_t crc_of(const std::string& text) {
  return crc32c(std::as_bytes(std::span(text)));
}

TEST(Crc32c, KnownAnswers) {
  // RFC 3720, B.4.
  EXPECT_EQ(crc_of(std::string(32, '\0')), 0x8A9136AAU);
  EXPECT_EQ(crc_of(std::string(32, '\xFF')), 0x62A8AB43U);
  std::string up, down;
  for (char i = 0; i < 32; ++i) up.push_back(i);
  for (char i = 31; i >= 0; --i) down.push_back(i);
  EXPECT_EQ(crc_of(up), 0x46DD794EU);
  EXPECT_EQ(crc_of(down), 0x113FDB5CU);
  EXPECT_EQ(crc_of("123456789"), 0xE3069283U);
  EXPECT_EQ(crc_of(""), 0U);
  EXPECT_EQ(crc_of("123456789"), testing::slow_crc32c("123456789"));
}

std::vector<ReadEvent> events_of(const std::string& path) {
  return EventReader(read_file_text(path)).all();
}

void add_steps(const EventFile& file, std::uint64_t first, std::uint64_t last) {
  for (std::uint64_t step = first; step <= last; ++step) {
    file.add(step, std::array{Scalar{"train/loss", 1.0 / static_cast<double>(step)}, Scalar{"lr", -0.5}});
  }
}

TEST(EventFile, IsReadBack) {
  const TemporaryFolder folder;
  const std::string path = folder / "events";
  add_steps(EventFile(path, 0), 1, 300);  // steps of one and of two varint bytes
  const auto events = events_of(path);
  ASSERT_EQ(events.size(), 301U);
  EXPECT_EQ(events[0].file_version, "brain.Event:2");
  EXPECT_GT(events[0].wall_time, 1.6e9);
  for (std::uint64_t step = 1; step <= 300; ++step) {
    const ReadEvent& event = events[step];
    EXPECT_EQ(event.step, step);
    ASSERT_EQ(event.scalars.size(), 2U);
    EXPECT_EQ(event.scalars[0],
              std::make_pair(std::string("train/loss"), static_cast<float>(1.0 / static_cast<double>(step))));
    EXPECT_EQ(event.scalars[1], std::make_pair(std::string("lr"), -0.5F));
  }
}

TEST(EventFile, OpenedAgainItGoesOnBehindTheLastSavedStep) {
  const TemporaryFolder folder;
  const std::string path = folder / "events";
  add_steps(EventFile(path, 0), 1, 200);
  add_steps(EventFile(path, 150), 151, 152);
  const auto events = events_of(path);
  ASSERT_EQ(events.size(), 153U);
  for (std::uint64_t step = 0; step < events.size(); ++step) EXPECT_EQ(events[step].step, step);
}

TEST(EventFile, ARecordThatWasCutByAKillIsDropped) {
  const TemporaryFolder folder;
  const std::string path = folder / "events";
  add_steps(EventFile(path, 0), 1, 3);
  const std::string whole = read_file_text(path);
  for (std::size_t keep = 0; keep < whole.size(); ++keep) {
    std::ofstream(path, std::ios::binary).write(whole.data(), static_cast<std::streamsize>(keep));
    add_steps(EventFile(path, 100), 100, 100);
    const auto events = events_of(path);
    ASSERT_GE(events.size(), 2U) << keep;
    EXPECT_EQ(events.front().file_version, "brain.Event:2");
    EXPECT_EQ(events.back().step, 100U);
  }
}

TEST(EventFile, AFolderThatIsGoneIsSaid) {
  const TemporaryFolder folder;
  EXPECT_THROW(EventFile(folder / "none/events", 0), cli::CommandError);
}

}  // namespace
}  // namespace bitplane::train
