// Arrivals that wait for a connection, in memory that grows to what was needed and stays.
#pragma once

#include <cstddef>
#include <vector>

#include "loadgen/drive/schedule.h"

namespace pantryd::loadgen {

/// Operations that may wait; an arrival beyond it is counted as not started at once.
inline constexpr std::size_t kBacklogMax = 100'000;

class ArrivalQueue {
 public:
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] const Arrival& front() const { return ring_[head_]; }
  /// In order from the front.
  [[nodiscard]] const Arrival& at(std::size_t index) const { return ring_[place(index)]; }
  void push_back(const Arrival& arrival) {
    grow();
    ring_[place(size_++)] = arrival;
  }
  void pop_front() {
    head_ = place(1);
    --size_;
  }
  void clear() { head_ = size_ = 0; }

 private:
  [[nodiscard]] std::size_t place(std::size_t index) const {
    return (head_ + index) & (ring_.size() - 1);  // the size is a power of two
  }
  void grow() {
    if (size_ < ring_.size()) return;
    std::vector<Arrival> larger(2 * ring_.size());
    for (std::size_t i = 0; i < size_; ++i) larger[i] = at(i);
    ring_ = std::move(larger);
    head_ = 0;
  }
  std::vector<Arrival> ring_{std::vector<Arrival>(64)};
  std::size_t head_ = 0;
  std::size_t size_ = 0;
};

}  // namespace pantryd::loadgen
