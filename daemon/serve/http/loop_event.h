// An event of libevent that is freed with its owner.
#pragma once

#include <event2/event.h>

#include <chrono>

#include "base/error.h"

namespace pantryd {

class LoopEvent {
 public:
  LoopEvent(event_base* base, int fd, short what, event_callback_fn call, void* with)
      : event_(::event_new(base, fd, what, call, with)) {
    if (event_ == nullptr) throw Error(ExitCode::failed, "libevent cannot make an event");
  }
  ~LoopEvent() {
    if (event_ != nullptr) ::event_free(event_);
  }
  LoopEvent(LoopEvent&& other) noexcept : event_(other.event_) { other.event_ = nullptr; }
  LoopEvent& operator=(LoopEvent&&) = delete;

  void add() { ::event_add(event_, nullptr); }
  void add(std::chrono::milliseconds after) {
    const timeval time{after.count() / 1000, (after.count() % 1000) * 1000};
    ::event_add(event_, &time);
  }
  void remove() { ::event_del(event_); }
  [[nodiscard]] bool pending() const {
    return ::event_pending(event_, EV_READ | EV_TIMEOUT, nullptr) != 0;
  }

 private:
  event* event_;
};

}  // namespace pantryd
