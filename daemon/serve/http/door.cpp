// Invariants: while the door is shut or a client or a page is there, ticking_ is pending; a tick
// ends what is over its time. Shut, connections wait in the kernel's queue.
#include "serve/http/door.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "base/log.h"

namespace pantryd {
namespace {

constexpr int kArrivalsAtOnce = 64;  // then those that are inside get their turn
constexpr std::chrono::milliseconds kTick{250};
constexpr std::chrono::milliseconds kTickWhileShut{20};
constexpr std::chrono::seconds kLogAfter{5};  // so that the line has a number worth reading
constexpr std::chrono::minutes kLogAgain{1};

}  // namespace

Door::Door(event_base* base, const std::vector<int>& listeners, Clients& clients)
    : clients_(clients), ticking_(base, -1, 0, on_tick, this) {
  for (const int fd : listeners) {
    arrivals_.emplace_back(base, fd, static_cast<short>(EV_READ | EV_PERSIST), on_arrival, this);
    arrivals_.back().add();
  }
}

void Door::on_arrival(evutil_socket_t fd, short, void* self) {
  static_cast<Door*>(self)->let_in(fd);
}

void Door::on_tick(evutil_socket_t, short, void* self) {
  static_cast<Door*>(self)->tick();
}

void Door::let_in(int listener) {
  if (clients_.removed() == 0) calm_ = SteadyClock::now();
  for (int i = 0; i < kArrivalsAtOnce && open_; ++i) {
    if (!clients_.has_room() && !clients_.make_room()) {
      shut();
      break;
    }
    const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      clients_.add(fd);
      continue;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      if (!clients_.make_room()) shut();
    } else if (errno != EINTR && errno != ECONNABORTED) {
      break;  // EAGAIN: nobody else is there
    }
  }
  tick_again();
}

void Door::shut() {
  open_ = false;
  for (auto& arrival : arrivals_) arrival.remove();
}

void Door::tick() {
  clients_.end_late_ones();
  if (!open_ && (clients_.has_room() || clients_.make_room())) {
    open_ = true;
    for (auto& arrival : arrivals_) arrival.add();
  }
  const auto now = SteadyClock::now();
  if (clients_.removed() == 0) {
    calm_ = now;
  } else if (now - calm_ >= kLogAfter && now - logged_ >= kLogAgain) {
    logged_ = now;
    log::warn("{} slow HTTP connection(s) were closed to make room, of at most {} at a time",
              clients_.take_removed(), clients_.limits().connections);
  }
  tick_again();
}

void Door::tick_again() {
  const bool busy = clients_.forget_old_pages() || !clients_.empty() || clients_.removed() > 0;
  if (!open_) {
    ticking_.add(kTickWhileShut);
  } else if (busy && !ticking_.pending()) {
    ticking_.add(kTick);
  }
}

}  // namespace pantryd
