// Invariant: `active` is null, or points at the flag of the one living StopOnSignal.
#include "base/stop.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "base/error.h"

namespace pantryd {
namespace {

std::atomic<StopFlag*> active{nullptr};

extern "C" void on_stop_signal(int) {
  const int saved = errno;
  if (StopFlag* flag = active.load()) flag->request();
  errno = saved;
}

}  // namespace

StopFlag::StopFlag() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (fd_ < 0) throw Error(ExitCode::failed, "cannot create an event descriptor");
}

StopFlag::~StopFlag() {
  if (fd_ >= 0) ::close(fd_);
}

void StopFlag::request() noexcept {
  requested_.store(true);
  const std::uint64_t one = 1;
  // A full counter is readable as well, so a failed write loses nothing.
  [[maybe_unused]] const auto written = ::write(fd_, &one, sizeof one);
}

bool StopFlag::wait(Deadline deadline) const {
  while (!requested() && !deadline.expired()) {
    pollfd entry{fd_, POLLIN, 0};
    ::poll(&entry, 1, static_cast<int>(std::min<long long>(deadline.remaining().count(), 60'000)));
  }
  return requested();
}

StopOnSignal::StopOnSignal(StopFlag& flag) {
  active.store(&flag);
  struct sigaction action {};
  action.sa_handler = on_stop_signal;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

StopOnSignal::~StopOnSignal() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  active.store(nullptr);
}

}  // namespace pantryd
