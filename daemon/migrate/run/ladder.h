// How often a statement that could not get its lock is tried again. Both sides of a rung grow: the
// time for which others may queue behind us, and the pause in which they get through.
#pragma once

#include <chrono>
#include <optional>

#include "base/deadline.h"

namespace pantryd::migrate {

/// Half to one and a half times `value`, so that runners do not move in step.
[[nodiscard]] std::chrono::milliseconds jittered(std::chrono::milliseconds value);

class Ladder {
 public:
  /// `lock_timeout` is the highest one used; `budget` is for all attempts and pauses together.
  Ladder(std::chrono::milliseconds lock_timeout, std::chrono::milliseconds budget);

  /// For the attempt at hand: 100 ms, 200 ms, 500 ms, 1 s, 2 s, 5 s, at most the highest one.
  [[nodiscard]] std::chrono::milliseconds lock_timeout() const;
  [[nodiscard]] int attempt() const { return attempt_; }  ///< from 1
  [[nodiscard]] std::chrono::milliseconds spent() const;  ///< since it was made
  /// The pause before the next attempt; nullopt when the budget is spent.
  [[nodiscard]] std::optional<std::chrono::milliseconds> climb();

 private:
  std::chrono::milliseconds lock_timeout_max_;
  SteadyClock::time_point began_ = SteadyClock::now();
  Deadline budget_;
  int attempt_ = 1;
};

}  // namespace pantryd::migrate
