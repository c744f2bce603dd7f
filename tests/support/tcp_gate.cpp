// Invariants, all under mutex_, which the thread gives up only inside poll(2):
//   listener_ is open unless the door is closed; in a hole its queue is full of fillers_;
//   every socket is non-blocking; a link is in links_ exactly while both of its sides may be open;
//   no descriptor is closed while the thread is in poll(2): the kernel would keep a polled socket,
//   listening and unreset, until poll(2) returns.
#include "tests/support/tcp_gate.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "base/error.h"

namespace pantryd::testing_support {
namespace {

constexpr int kBacklog = 128;
constexpr int kFillers = 8;  // a backlog of 0 holds one or two
constexpr std::size_t kBufferMax = 64U << 10U;
constexpr int kAcceptsMax = 1024;
constexpr int kRestMs = 1000;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

int new_socket() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) throw Error(ExitCode::failed, "the gate got no socket");
  return fd;
}

int bound_socket(std::uint16_t port) {
  const int fd = new_socket();
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const auto address = loopback(port);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    ::close(fd);
    throw Error(ExitCode::failed, "the gate's port is taken");
  }
  return fd;
}

std::uint16_t port_of(int fd, bool of_peer) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  auto* const out = reinterpret_cast<sockaddr*>(&address);
  const int code = of_peer ? ::getpeername(fd, out, &size) : ::getsockname(fd, out, &size);
  return code == 0 ? ntohs(address.sin_port) : 0;
}

int connect_to(std::uint16_t port) {
  const int fd = new_socket();
  const auto address = loopback(port);
  ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  return fd;
}

void set_no_delay(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void close_with_reset(int fd) {
  const linger hard{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  ::close(fd);
}

bool would_block() {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

}  // namespace

class TcpGate::Change {
 public:
  explicit Change(TcpGate& gate) : gate_(gate), lock_(gate.mutex_) {
    ++gate_.changing_;
    ::eventfd_write(gate_.wake_, 1);
    gate_.turn_.wait(lock_, [&] { return !gate_.polling_; });
  }
  ~Change() {
    --gate_.changing_;
    gate_.turn_.notify_all();
  }
  Change(const Change&) = delete;
  Change& operator=(const Change&) = delete;

 private:
  TcpGate& gate_;
  std::unique_lock<std::mutex> lock_;
};

TcpGate::TcpGate(std::uint16_t server_port, GateLimits limits)
    : server_port_(server_port), limits_(limits) {
  reserved_ = bound_socket(0);
  port_ = port_of(reserved_, false);
  wake_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  open_listener(kBacklog);
  thread_ = std::thread([this] { run(); });
}

TcpGate::~TcpGate() {
  stop_.request();
  thread_.join();
  reset_all();
  change_door(Door::closed);
  ::close(wake_);
  ::close(reserved_);
}

void TcpGate::set(GateFault fault, GateReach reach) {
  const Change change(*this);
  auto movement = Movement::pass;
  if (fault == GateFault::trickle) movement = Movement::trickle;
  if (fault == GateFault::stall || fault == GateFault::black_hole) movement = Movement::stall;
  if (reach != GateReach::fresh) {
    // Who has connected already is one that stands, also when the thread has not seen it yet.
    if (door_ == Door::open) accept_all();
    for (auto& link : links_) link.movement = movement;
  }
  if (reach != GateReach::existing) {
    fresh_ = fault == GateFault::black_hole ? Movement::pass : movement;
    change_door(fault == GateFault::refuse       ? Door::closed
                : fault == GateFault::black_hole ? Door::hole
                                                 : Door::open);
  }
  new_tick();
}

void TcpGate::cut() {
  const Change change(*this);
  if (door_ == Door::open) accept_all();
  reset_all();
}

GateCounts TcpGate::counts() const {
  const std::lock_guard lock(mutex_);
  auto out = counts_;
  out.open = static_cast<std::int64_t>(links_.size());
  return out;
}

void TcpGate::run() {
  std::unique_lock lock(mutex_);
  while (!stop_.requested()) {
    auto polled = poll_list();
    const bool trickles = std::any_of(links_.begin(), links_.end(), [](const Link& link) {
      return link.movement == Movement::trickle;
    });
    const int wait_ms = trickles ? static_cast<int>(tick_.remaining().count()) : kRestMs;
    polling_ = true;
    lock.unlock();
    ::poll(polled.data(), polled.size(), wait_ms);
    lock.lock();
    polling_ = false;
    eventfd_t ignored = 0;
    ::eventfd_read(wake_, &ignored);
    if (tick_.expired()) new_tick();
    carry(polled);
    if (door_ == Door::open) accept_all();
    turn_.notify_all();
    turn_.wait(lock, [&] { return changing_ == 0; });
  }
}

void TcpGate::new_tick() {
  tick_ = Deadline::in(kGateTick);
  for (auto& link : links_) {
    const auto budget = link.movement == Movement::trickle
                            ? limits_.trickle_bytes
                            : std::numeric_limits<std::size_t>::max();
    link.up.budget = budget;
    link.down.budget = budget;
  }
}

void TcpGate::open_listener(int backlog) {
  listener_ = bound_socket(port_);
  if (::listen(listener_, backlog) != 0) throw Error(ExitCode::failed, "the gate cannot listen");
}

void TcpGate::change_door(Door door) {
  if (door == door_) return;
  if (door_ == Door::hole) leave_hole();
  if (door_ == Door::closed) open_listener(kBacklog);
  if (door == Door::hole) dig_hole();
  if (door == Door::closed) {
    ::close(listener_);
    listener_ = -1;
  }
  door_ = door;
}

/// The kernel drops a SYN when the queue of those not accepted yet is full.
void TcpGate::dig_hole() {
  accept_all();
  ::listen(listener_, 0);
  for (int i = 0; i < kFillers; ++i) fillers_.push_back(connect_to(port_));
}

/// Who waits with an unanswered SYN gets through with the next one.
void TcpGate::leave_hole() {
  std::vector<std::uint16_t> ours;
  for (const int filler : fillers_) ours.push_back(port_of(filler, false));
  for (int i = 0; i < kAcceptsMax; ++i) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) break;
    if (std::find(ours.begin(), ours.end(), port_of(fd, true)) != ours.end()) {
      ::close(fd);
      continue;
    }
    links_.push_back({.client = fd});
    ++counts_.accepted_total;
  }
  for (const int filler : fillers_) close_with_reset(filler);
  fillers_.clear();
  ::listen(listener_, kBacklog);
}

void TcpGate::accept_all() {
  for (int i = 0; i < kAcceptsMax; ++i) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    if (links_.size() >= limits_.connections_max) {
      ++counts_.over_limit_total;
      close_with_reset(fd);
      continue;
    }
    set_no_delay(fd);
    ++counts_.accepted_total;
    Link link;
    link.client = fd;
    link.movement = fresh_;
    link.up.budget = link.down.budget = fresh_ == Movement::trickle
                                            ? limits_.trickle_bytes
                                            : std::numeric_limits<std::size_t>::max();
    links_.push_back(link);
  }
}

void TcpGate::reset_all() {
  for (auto& link : links_) end(link, true);
  counts_.cut_total += static_cast<std::int64_t>(links_.size());
  links_.clear();
}

void TcpGate::end(Link& link, bool reset) {
  for (int* fd : {&link.client, &link.server}) {
    if (*fd < 0) continue;
    if (reset) {
      close_with_reset(*fd);
    } else {
      ::close(*fd);
    }
    *fd = -1;
  }
}

/// The stop flag, the wake-up, the listener, then two entries a link in the order of links_. A
/// descriptor of -1 is passed over, so that one that may not move makes no noise.
std::vector<pollfd> TcpGate::poll_list() {
  std::vector<pollfd> out{{stop_.fd(), POLLIN, 0},
                          {wake_, POLLIN, 0},
                          {door_ == Door::open ? listener_ : -1, POLLIN, 0}};
  for (auto& link : links_) {
    if (link.movement == Movement::stall) {
      out.insert(out.end(), {{-1, 0, 0}, {-1, 0, 0}});
      continue;
    }
    if (link.server < 0) {
      link.server = connect_to(server_port_);
      set_no_delay(link.server);
    }
    const auto events = [](const Flow& from_here, const Flow& to_here) {
      const bool reads = !from_here.ended && from_here.data.size() < kBufferMax;
      const bool writes = !to_here.data.empty() && to_here.budget > 0;
      return static_cast<short>((reads ? POLLIN : 0) | (writes ? POLLOUT : 0));
    };
    const auto client = events(link.up, link.down);
    const auto server = events(link.down, link.up);
    out.push_back({client != 0 ? link.client : -1, client, 0});
    out.push_back({server != 0 ? link.server : -1, server, 0});
  }
  return out;
}

void TcpGate::carry(const std::vector<pollfd>& polled) {
  std::size_t at = 3;
  for (auto link = links_.begin(); link != links_.end() && at + 1 < polled.size(); at += 2) {
    const bool stirred = polled[at].revents != 0 || polled[at + 1].revents != 0;
    const bool broken = stirred && !move(*link);
    const bool over = link->up.told && link->down.told;
    if (broken || over) {
      end(*link, broken);
      link = links_.erase(link);
    } else {
      ++link;
    }
  }
}

/// False: one side was reset, and the other one shall be.
bool TcpGate::move(Link& link) {
  return pump(link, true, link.up) && pump(link, false, link.down);
}

bool TcpGate::pump(const Link& link, bool up, Flow& flow) {
  const int from = up ? link.client : link.server;
  const int to = up ? link.server : link.client;
  if (!flow.ended && flow.data.size() < kBufferMax) {
    char buffer[16U << 10U];
    const auto got = ::recv(from, buffer, sizeof buffer, 0);
    if (got < 0 && !would_block()) return false;
    if (got == 0) flow.ended = true;
    if (got > 0) flow.data.append(buffer, static_cast<std::size_t>(got));
  }
  const auto size = std::min(flow.data.size(), flow.budget);
  if (size > 0) {
    const auto sent = ::send(to, flow.data.data(), size, MSG_NOSIGNAL);
    if (sent < 0) return would_block();
    const auto moved = static_cast<std::size_t>(sent);
    flow.data.erase(0, moved);
    if (link.movement == Movement::trickle) flow.budget -= moved;
    (up ? counts_.bytes_up : counts_.bytes_down) += sent;
  }
  if (flow.ended && flow.data.empty() && !flow.told) {
    ::shutdown(to, SHUT_WR);
    flow.told = true;
  }
  return true;
}

}  // namespace pantryd::testing_support
