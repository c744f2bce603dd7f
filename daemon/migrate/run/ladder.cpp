// The waits for one lock: each is longer than the one before. Invariant: the time spent never
// exceeds the budget by more than one wait.
#include "migrate/run/ladder.h"

#include <algorithm>
#include <array>
#include <random>

namespace pantryd::migrate {
namespace {

using std::chrono::milliseconds;

constexpr std::array kRungs{milliseconds(100),  milliseconds(200),  milliseconds(500),
                            milliseconds(1000), milliseconds(2000), milliseconds(5000)};
/// While we pause, nobody queues behind us: twice the time for which they may.
constexpr int kPauseFactor = 2;

milliseconds rung(int attempt) {
  return kRungs[std::min<std::size_t>(static_cast<std::size_t>(attempt), kRungs.size()) - 1];
}

}  // namespace

milliseconds jittered(milliseconds value) {
  thread_local std::minstd_rand random{std::random_device{}()};
  std::uniform_int_distribution<std::int64_t> around(value.count() / 2, value.count() * 3 / 2);
  return milliseconds(around(random));
}

Ladder::Ladder(milliseconds lock_timeout, milliseconds budget)
    : lock_timeout_max_(std::max(lock_timeout, milliseconds(1))), budget_(Deadline::in(budget)) {}

milliseconds Ladder::lock_timeout() const {
  return std::min(rung(attempt_), lock_timeout_max_);
}

milliseconds Ladder::spent() const {
  return std::chrono::duration_cast<milliseconds>(SteadyClock::now() - began_);
}

std::optional<milliseconds> Ladder::climb() {
  if (budget_.expired()) return std::nullopt;
  const auto pause = std::min(jittered(lock_timeout() * kPauseFactor), budget_.remaining());
  ++attempt_;
  return pause;
}

}  // namespace pantryd::migrate
