// A queue that keeps its memory, in one piece, as large as it ever was. With std::deque one thread
// takes a block and another one returns it, so that with thousands of threads the blocks pile up in
// the caches that malloc keeps for each.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "base/assert.h"

namespace pantryd::pool {

template <typename Value>
class Ring {
 public:
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  /// From the front; below size().
  [[nodiscard]] Value& operator[](std::size_t at) {
    PANTRYD_ASSERT_DEBUG(at < size_);
    return places_[index(at)];
  }
  [[nodiscard]] const Value& operator[](std::size_t at) const {
    PANTRYD_ASSERT_DEBUG(at < size_);
    return places_[index(at)];
  }

  /// Before the value at `at`; with size(), behind all.
  void insert(std::size_t at, Value value) {
    PANTRYD_ASSERT(at <= size_);
    if (size_ == places_.size()) grow();
    ++size_;
    for (auto i = size_ - 1; i > at; --i) (*this)[i] = std::move((*this)[i - 1]);
    (*this)[at] = std::move(value);
  }
  /// Moves the shorter side, so that the ends cost nothing.
  void erase(std::size_t at) {
    PANTRYD_ASSERT(at < size_);
    if (at < size_ / 2) {
      for (auto i = at; i > 0; --i) (*this)[i] = std::move((*this)[i - 1]);
      first_ = index(1);
    } else {
      for (auto i = at; i + 1 < size_; ++i) (*this)[i] = std::move((*this)[i + 1]);
    }
    --size_;
  }
  void clear() { size_ = 0; }

  /// The place of the first value for which `before(value)` is false. All values for which it is
  /// true must be in front of the others.
  template <typename Before>
  [[nodiscard]] std::size_t first_not(const Before& before) const {
    std::size_t low = 0;
    std::size_t high = size_;
    while (low < high) {
      const auto middle = low + (high - low) / 2;
      if (before((*this)[middle])) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

 private:
  [[nodiscard]] std::size_t index(std::size_t at) const {
    return (first_ + at) & (places_.size() - 1);  // the size is a power of two
  }
  void grow() {
    std::vector<Value> larger(places_.empty() ? 16 : 2 * places_.size());
    for (std::size_t i = 0; i < size_; ++i) larger[i] = std::move((*this)[i]);
    places_ = std::move(larger);
    first_ = 0;
  }

  std::vector<Value> places_;
  std::size_t first_ = 0;
  std::size_t size_ = 0;
};

}  // namespace pantryd::pool
