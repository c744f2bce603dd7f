// Invariant: `bell` is the descriptor of the one living Hangup, or -1.
#include "base/hangup.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>

#include "base/error.h"

namespace pantryd {
namespace {

std::atomic<int> bell{-1};

extern "C" void on_hangup(int) {
  const int saved = errno;
  const std::uint64_t one = 1;
  if (const int fd = bell.load(); fd >= 0) {
    [[maybe_unused]] const auto written = ::write(fd, &one, sizeof one);
  }
  errno = saved;
}

}  // namespace

Hangup::Hangup() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (fd_ < 0) throw Error(ExitCode::failed, "cannot create an event descriptor");
  bell.store(fd_);
  struct sigaction action {};
  action.sa_handler = on_hangup;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGHUP, &action, nullptr);
}

Hangup::~Hangup() {
  std::signal(SIGHUP, SIG_DFL);
  bell.store(-1);
  ::close(fd_);
}

bool Hangup::wait(const StopFlag& stop, Deadline deadline) {
  while (!stop.requested() && !deadline.expired()) {
    pollfd entries[2] = {{fd_, POLLIN, 0}, {stop.fd(), POLLIN, 0}};
    ::poll(entries, 2, static_cast<int>(std::min<long long>(deadline.remaining().count(), 60'000)));
    std::uint64_t rung = 0;
    if (::read(fd_, &rung, sizeof rung) == sizeof rung) return true;
  }
  return false;
}

}  // namespace pantryd
