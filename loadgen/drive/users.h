// The users of a closed loop: each has one operation waiting or in work, or thinks.
#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <vector>

#include "base/random.h"
#include "loadgen/drive/schedule.h"
#include "loadgen/workload/plan.h"

namespace pantryd::loadgen {

class ClosedUsers {
 public:
  /// `part` and `parts` as for Schedule: they keep the numbers of several reactors apart.
  ClosedUsers(std::int64_t users, const UserHabits& habits, std::uint64_t seed, Mix mix,
              std::uint32_t part, std::uint32_t parts);

  /// When the next user is done thinking; INT64_MAX when nobody thinks.
  [[nodiscard]] std::int64_t next_ns() const;
  /// What that user does now. Only when next_ns() is not INT64_MAX.
  [[nodiscard]] Arrival take();
  /// A user's operation ended at `at_ns`, so this user thinks.
  void think(std::int64_t at_ns);
  [[nodiscard]] std::int64_t thinking() const { return static_cast<std::int64_t>(due_.size()); }

 private:
  [[nodiscard]] double exponential_ns(std::chrono::nanoseconds mean);

  const UserHabits habits_;
  Random choices_, times_;
  Mix mix_;
  std::uint64_t number_;
  const std::uint32_t parts_;
  /// When each thinking user is done with it.
  std::priority_queue<std::int64_t, std::vector<std::int64_t>, std::greater<>> due_;
};

}  // namespace pantryd::loadgen
