// How a person or a supervisor ends long work: a flag that is also a file descriptor, so that a
// thread which waits in poll(2) wakes at once.
#pragma once

#include <atomic>

#include "base/deadline.h"

namespace pantryd {

class StopFlag {
 public:
  StopFlag();
  ~StopFlag();
  StopFlag(const StopFlag&) = delete;
  StopFlag& operator=(const StopFlag&) = delete;

  /// Async-signal-safe; may be called any number of times.
  void request() noexcept;
  [[nodiscard]] bool requested() const noexcept { return requested_.load(); }
  /// Readable for ever after the first request().
  [[nodiscard]] int fd() const noexcept { return fd_; }
  /// Sleeps until `deadline` or a request. Returns requested().
  [[nodiscard]] bool wait(Deadline deadline) const;

 private:
  std::atomic<bool> requested_{false};
  int fd_ = -1;
};

/// While it lives, SIGINT and SIGTERM call flag.request(), and SIGPIPE is ignored. One at a time.
class StopOnSignal {
 public:
  explicit StopOnSignal(StopFlag& flag);
  ~StopOnSignal();
  StopOnSignal(const StopOnSignal&) = delete;
  StopOnSignal& operator=(const StopOnSignal&) = delete;
};

}  // namespace pantryd
