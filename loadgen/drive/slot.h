// A connection of a reactor and the operation on it. Times are nanoseconds since the start of the
// run.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "loadgen/drive/schedule.h"
#include "loadgen/drive/session.h"
#include "loadgen/workload/cursor.h"

namespace pantryd::loadgen {

struct Slot {
  enum class State {
    idle,
    running,       ///< a batch of its operation is under way
    rolling_back,  ///< a ROLLBACK is
    pausing,       ///< its operation waits for the next attempt, and nothing is under way
    moving,        ///< its operation goes on when the connection was made again
    away,          ///< no operation; the connection is being made again
  };
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
  Cursor next;                 ///< what is to be sent
  Cursor redo;                 ///< the first step that is not known to be committed
  bool in_block = false;       ///< a transaction was open when the batch was sent
  bool sent_work = false;      ///< a statement other than BEGIN and COMMIT was sent
  std::vector<Cursor> batch;   ///< steps that were sent together
  std::size_t batch_redo = 0;  ///< of the batch: the first step behind its last COMMIT
  std::size_t failed_at = 0;   ///< of the batch: the step that failed
  std::vector<pg::Reply> replies;
  int retries = 0;             ///< of the operation so far
  int moves = 0;               ///< times that it went on with a connection made again
  std::int64_t resume_at = 0;  ///< while pausing
  std::string error_code, error_message;
  bool plan_is_stale = false;

  /// An operation is on it.
  [[nodiscard]] bool is_busy() const { return state != State::idle && state != State::away; }
  /// A batch is under way.
  [[nodiscard]] bool awaits_reply() const {
    return state == State::running || state == State::rolling_back;
  }
};

}  // namespace pantryd::loadgen
