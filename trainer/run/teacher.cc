// SPDX-License-Identifier: Apache-2.0
#include "trainer/run/teacher.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include "trainer/run/loaded_run.h"
#include "trainer/run/net_state.h"

namespace bitplane::train {
namespace {

/// Means may differ by what first_last 8 rounds: that is another preprocessing of the same pictures.
bool same_pictures(const Task& a, const Task& b) {
  return a.input == b.input && a.labels == b.labels &&
         with_whole_byte_means(a.preprocessing) == with_whole_byte_means(b.preprocessing);
}

void refuse_other_runs(const LoadedRun& run, const Task& task) {
  const Config& config = run.folder.config();
  const std::string begin = "teacher '" + run.folder.path() + "' ";
  if (config.method != "float") {
    throw std::invalid_argument(begin + "is a run of method '" + config.method + "' with " +
                                std::to_string(config.wbits) + "/" + std::to_string(config.abits) +
                                " bits: give a run of method 'float'");
  }
  require_finished(run);
  if (!same_pictures(run.task, task)) {
    throw std::invalid_argument(begin +
                                "was trained on other pictures, classes or --normalize than this run: give "
                                "a run on the same data");
  }
}

}  // namespace

Teacher::Teacher(const std::string& path, const Task& task) : given_(task.preprocessing) {
  LoadedRun run = load_run_for("teacher", path);
  refuse_other_runs(run, task);
  net_ = std::move(run.net);
  own_ = run.task.preprocessing;
}

Tensor Teacher::logits(const Context& ctx, const Tensor& pictures) {
  return net_->forward(ctx, Variable(own_ == given_ ? pictures : as_own(pictures))).value();
}

std::string Teacher::checksum() const {
  return std::to_string(state_checksum(*net_));
}

/// By way of the bytes, which all pictures are, so that nothing depends on how the run rounds.
Tensor Teacher::as_own(const Tensor& pictures) const {
  constexpr double kLargest = 255;
  const std::size_t channels = given_.mean.size();
  std::vector<std::uint8_t> bytes;
  bytes.reserve(pictures.size());
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    const std::size_t c = i % channels;
    const double share = static_cast<double>(pictures.data()[i]) * static_cast<double>(given_.std[c]) +
                         static_cast<double>(given_.mean[c]);
    bytes.push_back(static_cast<std::uint8_t>(std::clamp(std::round(kLargest * share), 0.0, kLargest)));
  }
  Tensor own(pictures.shape());
  Normalizer(own_).apply(bytes, own.mutable_data());
  return own;
}

}  // namespace bitplane::train
