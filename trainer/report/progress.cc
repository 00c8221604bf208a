// SPDX-License-Identifier: Apache-2.0
#include "trainer/report/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <iostream>

#include "engine/cli/shared/number_text.h"
#include "trainer/run/provenance.h"

namespace bitplane::train {
namespace {

using Milliseconds = std::chrono::milliseconds;
constexpr Milliseconds kLiveEvery{100};
constexpr Milliseconds kLogEvery{20'000};

std::string two_digits(std::uint64_t value) {
  return (value < 10 ? "0" : "") + std::to_string(value);
}

}  // namespace

Sink sink_of_stderr() noexcept {
  return ::isatty(STDERR_FILENO) != 0 ? Sink::Terminal : Sink::Log;
}

std::string duration_text(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0 || seconds > 1e7) return "?";
  const auto total = static_cast<std::uint64_t>(std::llround(seconds));
  const std::string tail = two_digits(total % 60);
  if (total < 3600) return std::to_string(total / 60) + ":" + tail;
  return std::to_string(total / 3600) + ":" + two_digits(total / 60 % 60) + ":" + tail;
}

ProgressReport::~ProgressReport() {
  clear_live();
}

bool ProgressReport::due() {
  const auto now = std::chrono::steady_clock::now();
  if (now - last_ < (sink_ == Sink::Terminal ? kLiveEvery : kLogEvery)) return false;
  last_ = now;
  return true;
}

void ProgressReport::live(const std::string& text) {
  if (sink_ == Sink::Log) {
    std::cerr << text << std::endl;
    return;
  }
  std::cerr << "\r\033[K" << text << std::flush;
  live_shown_ = true;
}

void ProgressReport::clear_live() {
  if (live_shown_) std::cerr << "\r\033[K" << std::flush;
  live_shown_ = false;
}

void ProgressReport::line(const std::string& text) {
  clear_live();
  std::cerr << text << std::endl;
  log(text);
}

void ProgressReport::log(const std::string& text) {
  if (log_.is_open()) log_ << utc_now_text() << ' ' << text << std::endl;
}

void ProgressReport::step(const StepReport& report) {
  if (!due()) return;
  live("epoch " + std::to_string(report.epoch) + "/" + std::to_string(report.epochs) + "  step " +
       std::to_string(report.step) + "/" + std::to_string(report.steps) + "  loss " +
       cli::fixed(report.loss, 4) + "  accuracy " + cli::percent(report.accuracy) + "  " +
       cli::fixed(report.images_per_second, 0) + " images/s  ETA " + duration_text(report.seconds_left));
}

void ProgressReport::epoch(const EpochRow& row, std::uint64_t epochs) {
  line("epoch " + std::to_string(row.epoch) + "/" + std::to_string(epochs) + "  loss " +
       cli::fixed(row.loss, 4) + "  train " + cli::percent(row.train_accuracy) + "  test " +
       cli::percent(row.test_accuracy) + "  " + cli::fixed(row.seconds, 1) + " s  " +
       cli::fixed(row.images_per_second, 0) + " images/s");
}

void ProgressReport::count(const std::string& what, std::size_t done, std::size_t total) {
  if (!due()) return;
  live(what + " " + std::to_string(done) + " of " + std::to_string(total));
}

}  // namespace bitplane::train
