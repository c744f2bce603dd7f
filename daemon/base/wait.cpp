#include "base/wait.h"

#include <poll.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

namespace pantryd {
namespace {

constexpr int kAbandonedThreadsMax = 32;
std::atomic<int> bounded_threads{0};

struct Handover {
  std::mutex mutex;
  std::condition_variable done_changed;
  bool done = false;
};

}  // namespace

Ready wait_ready(int fd, short events, Deadline deadline, const StopFlag* stop) {
  for (;;) {
    if (stop != nullptr && stop->requested()) return Ready::stopped;
    pollfd entries[2] = {{fd, events, 0}, {stop != nullptr ? stop->fd() : -1, POLLIN, 0}};
    const auto wait_ms = std::min<long long>(deadline.remaining().count(), 60'000);
    const int ready = ::poll(entries, 2, static_cast<int>(wait_ms));
    if (ready > 0 && entries[0].revents != 0) return Ready::yes;
    if (ready <= 0 && deadline.expired()) return Ready::deadline;
  }
}

Ready run_bounded(std::function<void()> work, Deadline deadline, const StopFlag* stop) {
  if (bounded_threads.fetch_add(1) >= kAbandonedThreadsMax) {
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
