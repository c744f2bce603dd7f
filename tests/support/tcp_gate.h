// A door between a client and a server on loopback, in which a test breaks the network: a TCP proxy
// with one thread. A call that sets a fault returns when the fault is in place.
#pragma once

#include <poll.h>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/deadline.h"
#include "base/stop.h"
#include "tests/support/tcp_gate_types.h"

namespace pantryd::testing_support {

/// Thread-safe.
class TcpGate {
 public:
  /// Leads to 127.0.0.1:`server_port`. The server need not be there yet.
  explicit TcpGate(std::uint16_t server_port, GateLimits limits = {});
  ~TcpGate();  ///< resets every connection
  TcpGate(const TcpGate&) = delete;
  TcpGate& operator=(const TcpGate&) = delete;

  /// On 127.0.0.1, and the gate's for its whole life, also while it refuses.
  [[nodiscard]] std::uint16_t port() const { return port_; }

  /// Replaces the fault that was set for these. For those that stand, `refuse` is `pass` and
  /// `black_hole` is `stall`.
  void set(GateFault fault, GateReach reach = GateReach::all);
  void clear() { set(GateFault::pass); }
  /// Resets (RST) both sides of every connection that stands, once.
  void cut();
  [[nodiscard]] GateCounts counts() const;

 private:
  enum class Door { open, closed, hole };
  enum class Movement { pass, stall, trickle };
  /// One direction of a connection.
  struct Flow {
    std::string data;
    std::size_t budget = 0;  ///< bytes that may move in this tick
    bool ended = false;      ///< the sender closed
    bool told = false;       ///< and the receiver knows
  };
  struct Link {
    int client = -1;
    int server = -1;  ///< connected to when the first byte may move
    Movement movement = Movement::pass;
    Flow up;
    Flow down;
  };

  class Change;  ///< of descriptors: holds the mutex, with the thread outside of poll(2)

  void run();
  void open_listener(int backlog);
  void change_door(Door door);
  void dig_hole();
  void leave_hole();
  void accept_all();
  void reset_all();
  void new_tick();
  [[nodiscard]] std::vector<pollfd> poll_list();
  void carry(const std::vector<pollfd>& polled);
  [[nodiscard]] bool move(Link& link);
  [[nodiscard]] bool pump(const Link& link, bool up, Flow& flow);
  static void end(Link& link, bool reset);

  const std::uint16_t server_port_;
  const GateLimits limits_;
  std::uint16_t port_ = 0;
  StopFlag stop_;
  mutable std::mutex mutex_;
  std::condition_variable turn_;
  bool polling_ = false;
  int changing_ = 0;   ///< who wants a Change: the thread does not poll again before they had it
  int reserved_ = -1;  ///< bound and never listening: nobody else gets the port
  int listener_ = -1;
  int wake_ = -1;
  std::vector<int> fillers_;
  Door door_ = Door::open;
  Movement fresh_ = Movement::pass;
  Deadline tick_ = Deadline::in(kGateTick);
  std::list<Link> links_;
  GateCounts counts_;
  std::thread thread_;
};

}  // namespace pantryd::testing_support
