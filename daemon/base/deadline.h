// A point in time by which a wait must be over. Every wait in pantryd takes one.
#pragma once

#include <algorithm>
#include <chrono>

namespace pantryd {

using SteadyClock = std::chrono::steady_clock;

class Deadline {
 public:
  [[nodiscard]] static Deadline in(std::chrono::nanoseconds from_now) {
    return Deadline(SteadyClock::now() + from_now);
  }
  [[nodiscard]] static Deadline at(SteadyClock::time_point when) { return Deadline(when); }

  [[nodiscard]] bool expired() const { return SteadyClock::now() >= when_; }

  /// What is left, never negative, rounded up so that a wait does not spin on its last millisecond.
  [[nodiscard]] std::chrono::milliseconds remaining() const {
    const auto left = when_ - SteadyClock::now();
    return std::max(std::chrono::milliseconds{0},
                    std::chrono::ceil<std::chrono::milliseconds>(left));
  }

  /// The earlier of this and `from_now` from now: a budget inside a larger deadline.
  [[nodiscard]] Deadline within(std::chrono::nanoseconds from_now) const {
    return Deadline(std::min(when_, SteadyClock::now() + from_now));
  }

  [[nodiscard]] SteadyClock::time_point when() const { return when_; }

 private:
  explicit Deadline(SteadyClock::time_point when) : when_(when) {}
  SteadyClock::time_point when_;
};

}  // namespace pantryd
