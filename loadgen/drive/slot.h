// A connection of a reactor and the operation on it. Times are nanoseconds since the start of the
// run.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "loadgen/drive/schedule.h"
#include "loadgen/drive/session.h"
#include "loadgen/workload/values.h"

namespace pantryd::loadgen {

struct Slot {
  enum class State { idle, running, rolling_back, away };
  State state = State::away;
  std::unique_ptr<Session> session;
  int fd = -1;  ///< as registered with epoll
  bool wants_write = false;
  bool unproven = false;  ///< made again after a loss; nothing has succeeded on it yet
  std::int64_t idle_since = 0;
  std::int64_t deadline = 0;
  std::int64_t sent_at = 0;
  Arrival arrival;
  Values values;
  std::size_t next_step = 0;
  bool sent_work = false;          ///< a statement other than BEGIN and COMMIT was sent
  std::vector<std::size_t> batch;  ///< steps that were sent together
  std::vector<pg::Reply> replies;
  int attempt = 0;
  std::string error_code, error_message;
  bool plan_is_stale = false;

  /// An operation is on it.
  [[nodiscard]] bool is_busy() const {
    return state == State::running || state == State::rolling_back;
  }
};

}  // namespace pantryd::loadgen
