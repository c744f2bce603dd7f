// Invariant: armed_for_ is the moment of timer_fd_, or the epoch while that is not armed.
#include "loadgen/drive/poller.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "base/error.h"

namespace pantryd::loadgen {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr int kWaitMaxMs = 200;

std::int64_t nanoseconds(SteadyClock::duration time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time).count();
}

timespec as_timespec(std::int64_t ns) {
  return {ns / kNsPerSecond, ns % kNsPerSecond};
}

bool control(int epoll_fd, int operation, int fd, std::uint64_t tag, bool writing) {
  epoll_event event{};
  event.events = EPOLLIN | (writing ? static_cast<unsigned>(EPOLLOUT) : 0U);
  event.data.u64 = tag;
  return ::epoll_ctl(epoll_fd, operation, fd, &event) == 0;
}

}  // namespace

Poller::Poller()
    : epoll_fd_(::epoll_create1(EPOLL_CLOEXEC)),
      timer_fd_(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) {
  if (epoll_fd_ >= 0 && timer_fd_ >= 0 && add(timer_fd_, kNoTag)) return;
  if (timer_fd_ >= 0) ::close(timer_fd_);
  if (epoll_fd_ >= 0) ::close(epoll_fd_);
  throw Error(ExitCode::failed, "cannot make an epoll set");
}

Poller::~Poller() {
  ::close(timer_fd_);
  ::close(epoll_fd_);
}

bool Poller::add(int fd, std::uint64_t tag, bool writing) {
  return control(epoll_fd_, EPOLL_CTL_ADD, fd, tag, writing);
}

bool Poller::change(int fd, std::uint64_t tag, bool writing) {
  return control(epoll_fd_, EPOLL_CTL_MOD, fd, tag, writing);
}

void Poller::remove(int fd) {
  ::epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr);
}

int Poller::wait(SteadyClock::time_point until, epoll_event* events, int count) {
  if (exact_) {
    const auto left =
        as_timespec(std::max<std::int64_t>(0, nanoseconds(until - SteadyClock::now())));
    const int found = ::epoll_pwait2(epoll_fd_, events, count, &left, nullptr);
    if (found >= 0 || errno != ENOSYS) return found;
    exact_ = false;  // Linux before 5.11
  }
  return wait_by_timer(until, events, count);
}

int Poller::wait_by_timer(SteadyClock::time_point until, epoll_event* events, int count) {
  if (until != armed_for_) {
    armed_for_ = until;
    itimerspec spec{};
    spec.it_value = as_timespec(nanoseconds(until.time_since_epoch()));
    ::timerfd_settime(timer_fd_, TFD_TIMER_ABSTIME, &spec, nullptr);
  }
  const int found = ::epoll_wait(epoll_fd_, events, count, kWaitMaxMs);
  std::uint64_t expirations = 0;
  if (::read(timer_fd_, &expirations, sizeof expirations) > 0) armed_for_ = {};
  return found;
}

}  // namespace pantryd::loadgen
