// The descriptors of one event loop (epoll), and waiting for them until an exact moment.
#pragma once

#include <cstdint>

#include "base/deadline.h"

struct epoll_event;

namespace pantryd::loadgen {

class Poller {
 public:
  /// Throws Error(failed) when the process has no descriptors left.
  Poller();
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  /// From now on wait() reports when `fd` is readable, and with `writing` also when it is writable.
  /// False: the kernel refuses.
  [[nodiscard]] bool add(int fd, std::uint64_t tag, bool writing = false);
  [[nodiscard]] bool change(int fd, std::uint64_t tag, bool writing);
  void remove(int fd);

  /// Waits for events, until `until` at the latest. How many of `events` were filled, each with the
  /// tag of its descriptor; kNoTag is to be ignored. Below 1: none.
  static constexpr std::uint64_t kNoTag = ~std::uint64_t{0};
  [[nodiscard]] int wait(SteadyClock::time_point until, epoll_event* events, int count);

 private:
  [[nodiscard]] int wait_by_timer(SteadyClock::time_point until, epoll_event* events, int count);

  int epoll_fd_ = -1;
  int timer_fd_ = -1;
  bool exact_ = true;  ///< the kernel waits to the nanosecond; else timer_fd_ wakes us
  SteadyClock::time_point armed_for_{};
};

}  // namespace pantryd::loadgen
