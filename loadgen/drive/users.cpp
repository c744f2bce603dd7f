// Invariant: due_ holds at most as many times as there are users, in memory taken at the start.
#include "loadgen/drive/users.h"

#include <cmath>
#include <limits>

namespace pantryd::loadgen {

ClosedUsers::ClosedUsers(std::int64_t users, const UserHabits& habits, std::uint64_t seed, Mix mix,
                         std::uint32_t part, std::uint32_t parts)
    : habits_(habits),
      choices_(mix64(seed, 3U, part)),
      times_(mix64(seed, 6U, part)),
      mix_(std::move(mix)),
      number_(part),
      parts_(parts) {
  std::vector<std::int64_t> memory;
  memory.reserve(static_cast<std::size_t>(users));
  due_ = decltype(due_)(std::greater<>(), std::move(memory));
  // Somebody met at a random moment is in the middle of a thought, whose rest is as long as a
  // whole one: exponential times have no memory. So the run begins in its steady state.
  for (std::int64_t i = 0; i < users; ++i) think(0);
}

double ClosedUsers::exponential_ns(std::chrono::nanoseconds mean) {
  return -std::log1p(-times_.uniform()) * static_cast<double>(mean.count());
}

void ClosedUsers::think(std::int64_t at_ns) {
  const bool leaves = habits_.operations > 0 && times_.chance(1 / habits_.operations);
  const auto mean = leaves ? habits_.pause : habits_.think;
  due_.push(mean.count() > 0 ? at_ns + static_cast<std::int64_t>(exponential_ns(mean)) : at_ns);
}

std::int64_t ClosedUsers::next_ns() const {
  return due_.empty() ? std::numeric_limits<std::int64_t>::max() : due_.top();
}

Arrival ClosedUsers::take() {
  Arrival arrival;
  arrival.intended_ns = due_.top();
  due_.pop();
  arrival.operation = mix_.draw(choices_);
  arrival.number = number_;
  number_ += parts_;
  return arrival;
}

}  // namespace pantryd::loadgen
