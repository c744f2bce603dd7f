// SIGHUP as something to wait for: a supervisor asks for the configuration to be read again.
#pragma once

#include "base/deadline.h"
#include "base/stop.h"

namespace pantryd {

/// While it lives, SIGHUP rings it instead of ending the process. One at a time.
class Hangup {
 public:
  Hangup();
  ~Hangup();
  Hangup(const Hangup&) = delete;
  Hangup& operator=(const Hangup&) = delete;

  /// Sleeps until SIGHUP, `stop` or the deadline. True once for all signals that came since the
  /// last call; false: one of the others.
  [[nodiscard]] bool wait(const StopFlag& stop, Deadline deadline);

 private:
  int fd_ = -1;
};

}  // namespace pantryd
