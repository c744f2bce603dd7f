// The one place where a thread of the daemon waits for a descriptor, and the one way to put a
// deadline around a library call that has none (getaddrinfo, PQcancel).
#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "base/deadline.h"
#include "base/stop.h"

namespace pantryd {

enum class Ready { yes, deadline, stopped };
inline constexpr std::size_t kDescriptorsMax = 8;
struct ReadyOne {
  Ready ready = Ready::deadline;
  std::size_t index = 0;  ///< of the first one that is ready
};

/// Waits until `fd` has one of `events` (poll(2)); an error on the descriptor counts as ready.
[[nodiscard]] Ready wait_ready(int fd, short events, Deadline deadline, const StopFlag* stop);

/// The same for one of several, at most kDescriptorsMax.
[[nodiscard]] ReadyOne wait_ready_one(std::span<const int> fds, short events, Deadline deadline,
                                      const StopFlag* stop);

/// Threads that run_bounded() may have left behind at a time.
inline constexpr int kBoundedMax = 256;

/// Runs `work` on a thread of its own and waits for it. When the wait ends first, the thread is
/// left behind to finish alone, so `work` must own all that it touches. At most kBoundedMax such
/// threads are there at a time, and `work` is not started, and the answer is `deadline`, when there
/// are `threads_max` already: what can be done without must leave room for what cannot.
[[nodiscard]] Ready run_bounded(std::function<void()> work, Deadline deadline, const StopFlag* stop,
                                int threads_max = kBoundedMax);

}  // namespace pantryd
