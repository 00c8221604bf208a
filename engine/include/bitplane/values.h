// SPDX-License-Identifier: Apache-2.0
//
// The large arrays of a model: numbers of its own, or a view of a loaded file's memory. Copies share the
// numbers; the first change to a shared or viewed array makes a copy of its own.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "bitplane/status.h"

namespace bitplane::engine {

/// What views lie in. It lives as long as they do, and may be given back in between to whom it came from.
class ViewedMemory {
 public:
  virtual ~ViewedMemory() = default;
  /// Until the result goes, the bytes are those that were viewed first. Throws std::bad_alloc.
  [[nodiscard]] virtual Result<std::shared_ptr<const void>> hold() = 0;
};

template <class T>
class Values {
 public:
  Values() = default;
  Values(std::vector<T> own)  // NOLINT(google-explicit-constructor): a vector is what most arrays come from
      : own_(std::make_shared<std::vector<T>>(std::move(own))) {}
  /// `view` lies in `memory`.
  Values(std::span<const T> view, std::shared_ptr<ViewedMemory> memory)
      : view_(view), memory_(std::move(memory)) {}

  [[nodiscard]] std::size_t size() const noexcept { return own_ ? own_->size() : view_.size(); }
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }
  [[nodiscard]] const T* data() const noexcept { return own_ ? own_->data() : view_.data(); }
  [[nodiscard]] const T* begin() const noexcept { return data(); }
  [[nodiscard]] const T* end() const noexcept { return data() + size(); }
  [[nodiscard]] const T& operator[](std::size_t i) const noexcept { return data()[i]; }

  /// Null for numbers of its own.
  [[nodiscard]] const std::shared_ptr<ViewedMemory>& memory() const noexcept { return memory_; }

  /// To change them.
  [[nodiscard]] std::vector<T>& own() {
    if (!own_ || own_.use_count() > 1) own_ = std::make_shared<std::vector<T>>(begin(), end());
    view_ = {};
    memory_.reset();
    return *own_;
  }
  [[nodiscard]] T& operator[](std::size_t i) { return own()[i]; }

  friend bool operator==(const Values& a, const Values& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }

 private:
  std::shared_ptr<std::vector<T>> own_;
  std::span<const T> view_;  ///< without own_
  std::shared_ptr<ViewedMemory> memory_;
};

}  // namespace bitplane::engine
