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

namespace bitplane::engine {

template <class T>
class Values {
 public:
  Values() = default;
  Values(std::vector<T> own)  // NOLINT(google-explicit-constructor): a vector is what most arrays come from
      : own_(std::make_shared<std::vector<T>>(std::move(own))) {}
  /// `memory` lives as long as `keeper`.
  Values(std::span<const T> memory, std::shared_ptr<const void> keeper)
      : view_(memory), keeper_(std::move(keeper)) {}

  [[nodiscard]] std::size_t size() const noexcept { return own_ ? own_->size() : view_.size(); }
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }
  [[nodiscard]] const T* data() const noexcept { return own_ ? own_->data() : view_.data(); }
  [[nodiscard]] const T* begin() const noexcept { return data(); }
  [[nodiscard]] const T* end() const noexcept { return data() + size(); }
  [[nodiscard]] const T& operator[](std::size_t i) const noexcept { return data()[i]; }

  /// To change them.
  [[nodiscard]] std::vector<T>& own() {
    if (!own_ || own_.use_count() > 1) own_ = std::make_shared<std::vector<T>>(begin(), end());
    view_ = {};
    keeper_.reset();
    return *own_;
  }
  [[nodiscard]] T& operator[](std::size_t i) { return own()[i]; }

  friend bool operator==(const Values& a, const Values& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }

 private:
  std::shared_ptr<std::vector<T>> own_;
  std::span<const T> view_;  ///< without own_
  std::shared_ptr<const void> keeper_;
};

}  // namespace bitplane::engine
