// Waits with poll(2) for descriptors and the stop flag at once, at most a minute a turn.
#include "base/wait.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

namespace pantryd {
namespace {

std::atomic<int> bounded_threads{0};

struct Handover {
  std::mutex mutex;
  std::condition_variable done_changed;
  bool done = false;
};

}  // namespace

ReadyOne wait_ready_one(std::span<const int> fds, short events, Deadline deadline,
                        const StopFlag* stop) {
  std::array<pollfd, kDescriptorsMax + 1> entries{};
  const auto count = std::min(fds.size(), kDescriptorsMax);
  for (std::size_t i = 0; i < count; ++i) entries[i] = {fds[i], events, 0};
  entries[count] = {stop != nullptr ? stop->fd() : -1, POLLIN, 0};
  for (;;) {
    if (stop != nullptr && stop->requested()) return {Ready::stopped, 0};
    const auto wait_ms = std::min<long long>(deadline.remaining().count(), 60'000);
    const int ready = ::poll(entries.data(), count + 1, static_cast<int>(wait_ms));
    for (std::size_t i = 0; ready > 0 && i < count; ++i) {
      if (entries[i].revents != 0) return {Ready::yes, i};
    }
    if (ready <= 0 && deadline.expired()) return {Ready::deadline, 0};
  }
}

Ready wait_ready(int fd, short events, Deadline deadline, const StopFlag* stop) {
  return wait_ready_one({&fd, 1}, events, deadline, stop).ready;
}

Ready run_bounded(std::function<void()> work, Deadline deadline, const StopFlag* stop,
                  int threads_max) {
  if (bounded_threads.fetch_add(1) >= std::min(threads_max, kBoundedMax)) {
    bounded_threads.fetch_sub(1);
    return Ready::deadline;
  }
  const auto handover = std::make_shared<Handover>();
  std::thread([handover, work = std::move(work)] {
    work();
    {
      const std::lock_guard lock(handover->mutex);
      handover->done = true;
    }
    handover->done_changed.notify_all();
    bounded_threads.fetch_sub(1);
  }).detach();

  std::unique_lock lock(handover->mutex);
  while (!handover->done) {
    if (stop != nullptr && stop->requested()) return Ready::stopped;
    if (deadline.expired()) return Ready::deadline;
    const auto slice = std::min(deadline.remaining(), std::chrono::milliseconds(100));
    handover->done_changed.wait_for(lock, slice);
  }
  return Ready::yes;
}

}  // namespace pantryd
