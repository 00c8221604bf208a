// SPDX-License-Identifier: Apache-2.0
//
// Progress for people, on stderr: one live line on a terminal, plain lines otherwise (each epoch, and now and
// then within one, so that a log shows that something happens).
#pragma once

#include <chrono>
#include <cstddef>
#include <fstream>
#include <string>

#include "trainer/run/training.h"

namespace bitplane::train {

enum class Sink : std::uint8_t { Terminal, Log };
[[nodiscard]] Sink sink_of_stderr() noexcept;

class ProgressReport {
 public:
  explicit ProgressReport(Sink sink) : sink_(sink) {}
  /// Lines that stay go to the end of this file as well, with the time. A file that cannot be written is no
  /// reason to stop.
  ProgressReport(Sink sink, const std::string& log_file)
      : sink_(sink), log_(log_file, std::ios::binary | std::ios::app) {}
  ~ProgressReport();
  ProgressReport(const ProgressReport&) = delete;
  ProgressReport& operator=(const ProgressReport&) = delete;

  void step(const StepReport& report);
  void epoch(const EpochRow& row, std::uint64_t epochs);
  /// "evaluating 512 of 10000"
  void count(const std::string& what, std::size_t done, std::size_t total);
  /// A line that stays.
  void line(const std::string& text);
  /// The same for the log alone.
  void log(const std::string& text);

 private:
  [[nodiscard]] bool due();
  void live(const std::string& text);
  void clear_live();

  Sink sink_;
  std::ofstream log_;
  bool live_shown_ = false;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

/// 75 -> "1:15", 3700 -> "1:01:40"
[[nodiscard]] std::string duration_text(double seconds);

}  // namespace bitplane::train
