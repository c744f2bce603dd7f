// The one place where a thread of the daemon waits for a descriptor, and the one way to put a
// deadline around a library call that has none (getaddrinfo, PQcancel).
#pragma once

#include <functional>

#include "base/deadline.h"
#include "base/stop.h"

namespace pantryd {

enum class Ready { yes, deadline, stopped };

/// Waits until `fd` has one of `events` (poll(2)); an error on the descriptor counts as ready.
[[nodiscard]] Ready wait_ready(int fd, short events, Deadline deadline, const StopFlag* stop);

/// Runs `work` on a thread of its own and waits for it. When the wait ends first, the thread is
/// left behind to finish alone, so `work` must own all that it touches. At most 32 such threads
/// may be left behind at a time; beyond that `work` is not started and the answer is `deadline`.
[[nodiscard]] Ready run_bounded(std::function<void()> work, Deadline deadline,
                                const StopFlag* stop);

}  // namespace pantryd
