// How long an operation waits before it is tried again, and which slots wait.
// Source: exponential back-off with jitter, so that operations that collided do not meet again.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <queue>
#include <utility>
#include <vector>

#include "loadgen/workload/retry_policy.h"

namespace pantryd::loadgen {

/// Nanoseconds before retry 1, 2, ... of an operation: pause * 2^(retry - 1), at most pause_max, of
/// which `seed` takes off up to a half.
[[nodiscard]] std::int64_t back_off_ns(const RetryPolicy& policy, int retry, std::uint64_t seed);

/// Slots by the moment at which they go on. A slot that was lost meanwhile stays in it until then,
/// so whoever takes one asks whether it still waits for that moment.
class PauseQueue {
 public:
  void add(std::int64_t at, int slot) { due_.emplace(at, slot); }
  /// INT64_MAX: nobody waits.
  [[nodiscard]] std::int64_t next() const {
    return due_.empty() ? std::numeric_limits<std::int64_t>::max() : due_.top().first;
  }
  /// The slot of next(). Only when that is not INT64_MAX.
  int take() {
    const int slot = due_.top().second;
    due_.pop();
    return slot;
  }

 private:
  using Due = std::pair<std::int64_t, int>;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
};

}  // namespace pantryd::loadgen
