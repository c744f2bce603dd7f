// Lets connections in while there is room, and makes room.
#pragma once

#include <vector>

#include "serve/http/clients.h"
#include "serve/http/loop_event.h"

namespace pantryd {

/// For the thread of the loop. Nobody is let in before the loop runs.
class Door {
 public:
  /// The descriptors listen and do not block; they outlive it.
  Door(event_base* base, const std::vector<int>& listeners, Clients& clients);
  Door(const Door&) = delete;
  Door& operator=(const Door&) = delete;

 private:
  static void on_arrival(evutil_socket_t fd, short what, void* self);
  static void on_tick(evutil_socket_t fd, short what, void* self);
  void let_in(int listener);
  void shut();
  void tick();
  void tick_again();

  Clients& clients_;
  std::vector<LoopEvent> arrivals_;
  LoopEvent ticking_;
  bool open_ = true;
  SteadyClock::time_point calm_{};    ///< when none had been closed to make room
  SteadyClock::time_point logged_{};  ///< when the log last said how many had
};

}  // namespace pantryd
