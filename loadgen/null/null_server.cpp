// Invariants: a client has an entry in clients_ exactly while its descriptor is open; a client's
// round trip is in waiting_ or in busy_ at most once, since nobody sends the next one before the
// answer; busy_ holds at most service_.servers entries. All of it belongs to the loop's thread but
// for the counters under mutex_.
#include "loadgen/null/null_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <queue>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "base/stop.h"
#include "loadgen/null/null_protocol.h"

namespace pantryd::loadgen {
namespace {

constexpr std::size_t kClientsMax = 2'000;
constexpr std::size_t kMessageMax = std::size_t{1} << 20;
constexpr std::size_t kUnsentMax = std::size_t{16} << 20;
constexpr int kEvents = 256;
constexpr std::int64_t kSecond = 1'000'000'000;

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(SteadyClock::now().time_since_epoch())
      .count();
}

}  // namespace

class NullServer::Loop {
 public:
  explicit Loop(NullService service) : service_(service), random_(service.seed) {
    listen();
    thread_ = std::thread([this] { run(); });
  }
  ~Loop() {
    halt_.request();
    thread_.join();
    for (const auto& [fd, client] : clients_) ::close(fd);
    close_all();
  }

  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] std::int64_t answered() const {
    const std::lock_guard lock(mutex_);
    return answered_;
  }
  [[nodiscard]] Histogram service_times() const {
    const std::lock_guard lock(mutex_);
    return service_times_;
  }

 private:
  struct Client {
    std::string in;
    std::string out;        ///< on its way, but for what the kernel did not take
    std::string round;      ///< the answer of a round trip that is in service
    std::string statement;  ///< text of the unnamed statement
    std::uint64_t number = 0;
    bool started = false;
    bool executes = false;  ///< the round trip runs a prepared statement
    bool unnamed = false;   ///< the portal is of the unnamed statement
    bool failed = false;    ///< skip until Sync
    bool wants_write = false;
  };
  struct Busy {
    std::int64_t until_ns = 0;
    std::int64_t from_ns = 0;
    int fd = -1;
    std::uint64_t number = 0;
    bool operator<(const Busy& other) const { return until_ns > other.until_ns; }
  };
  using Waiting = std::pair<int, std::uint64_t>;

  void listen();
  void close_all() const;
  void run();
  void accept_all();
  void read_from(int fd);
  [[nodiscard]] bool handle_startup(Client& client, int fd);
  [[nodiscard]] bool handle_message(Client& client, int fd, char type, std::string_view body);
  void describe(Client& client) const;
  void execute(Client& client);
  void sync(Client& client, int fd);
  void begin_service();
  void finish_due();
  void arm_timer() const;
  void write_to(Client& client, int fd);
  void drop(int fd);
  void watch(int fd, bool writing, bool add) const;

  const NullService service_;
  Random random_;
  StopFlag halt_;
  int port_ = 0;
  int listen_fd_ = -1;
  int epoll_fd_ = -1;
  int timer_fd_ = -1;
  std::uint64_t next_number_ = 1;
  std::map<int, Client> clients_;
  std::deque<Waiting> waiting_;
  std::priority_queue<Busy> busy_;
  mutable std::mutex mutex_;
  std::int64_t answered_ = 0;
  Histogram service_times_;
  std::thread thread_;
};

void NullServer::Loop::listen() {
  listen_fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  epoll_fd_ = ::epoll_create1(EPOLL_CLOEXEC);
  timer_fd_ = ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (listen_fd_ < 0 || epoll_fd_ < 0 || timer_fd_ < 0 || ::bind(listen_fd_, generic, size) != 0 ||
      ::listen(listen_fd_, 1024) != 0 || ::getsockname(listen_fd_, generic, &size) != 0) {
    const std::string reason = std::strerror(errno);
    close_all();
    throw Error(ExitCode::failed, fmt::format("cannot listen on a loopback port: {}", reason));
  }
  port_ = ntohs(address.sin_port);
  watch(listen_fd_, false, true);
  watch(timer_fd_, false, true);
  watch(halt_.fd(), false, true);
}

void NullServer::Loop::close_all() const {
  for (const int fd : {listen_fd_, epoll_fd_, timer_fd_}) {
    if (fd >= 0) ::close(fd);
  }
}

void NullServer::Loop::watch(int fd, bool writing, bool add) const {
  epoll_event event{};
  event.events = EPOLLIN | (writing ? EPOLLOUT : 0U);
  event.data.fd = fd;
  ::epoll_ctl(epoll_fd_, add ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event);
}

void NullServer::Loop::run() {
  std::array<epoll_event, kEvents> events{};
  while (!halt_.requested()) {
    const int count = ::epoll_wait(epoll_fd_, events.data(), kEvents, 1000);
    // What is due goes out before what came in, as it would with servers that truly work.
    finish_due();
    for (int i = 0; i < count; ++i) {
      const auto& event = events[static_cast<std::size_t>(i)];
      const int fd = event.data.fd;
      if (fd == listen_fd_) {
        accept_all();
      } else if (fd == timer_fd_) {
        std::uint64_t expirations = 0;
        (void)!::read(timer_fd_, &expirations, sizeof expirations);
      } else if (const auto found = clients_.find(fd); found != clients_.end()) {
        if ((event.events & EPOLLOUT) != 0) write_to(found->second, fd);
        if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read_from(fd);
      }
    }
    begin_service();
    arm_timer();
  }
}

void NullServer::Loop::accept_all() {
  for (std::size_t i = 0; i < kClientsMax; ++i) {
    const int fd = ::accept4(listen_fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    if (clients_.size() >= kClientsMax) {
      ::close(fd);
      continue;
    }
    const int on = 1;
    (void)::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    clients_[fd].number = next_number_++;
    watch(fd, false, true);
  }
}

void NullServer::Loop::drop(int fd) {
  clients_.erase(fd);
  ::close(fd);
}

void NullServer::Loop::read_from(int fd) {
  auto& client = clients_.at(fd);
  std::array<char, 65'536> buffer{};
  const auto got = ::read(fd, buffer.data(), buffer.size());
  if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return drop(fd);
  if (got < 0) return;
  client.in.append(buffer.data(), static_cast<std::size_t>(got));
  std::size_t used = 0;
  while (client.started && client.in.size() - used >= 5) {
    const std::size_t length = read_u32(client.in.data() + used + 1);
    if (length < 4 || length > kMessageMax) return drop(fd);
    if (client.in.size() - used < length + 1) break;
    const std::string_view body(client.in.data() + used + 5, length - 4);
    if (!handle_message(client, fd, client.in[used], body)) return drop(fd);
    used += length + 1;
  }
  client.in.erase(0, used);
  if (!client.started && !handle_startup(client, fd)) return drop(fd);
  if (client.out.size() + client.round.size() > kUnsentMax) return drop(fd);
  write_to(client, fd);
}

/// Before the first message there is no type byte. False: the client is to be dropped.
bool NullServer::Loop::handle_startup(Client& client, int fd) {
  constexpr std::uint32_t kSsl = 80877103;
  constexpr std::uint32_t kGss = 80877104;
  constexpr std::uint32_t kProtocol3 = 3;
  while (client.in.size() >= 8) {
    const std::size_t length = read_u32(client.in.data());
    const auto code = read_u32(client.in.data() + 4);
    if (length < 8 || length > 10'000) return false;
    if (client.in.size() < length) return true;
    client.in.erase(0, length);
    if (code == kSsl || code == kGss) {
      client.out.push_back('N');
      continue;
    }
    if (code >> 16U != kProtocol3) return false;  // a cancel request: nothing runs for long
    client.started = true;
    put_greeting(client.out, static_cast<std::uint32_t>(fd));
    return true;
  }
  return true;
}

void NullServer::Loop::describe(Client& client) const {
  if (client.failed) return;
  if (!client.unnamed) return put_columns(client.round, 1);
  if (const auto answer = answer_of(client.statement)) {
    return put_columns(client.round, answer->columns);
  }
  put_message(client.round, 'n', "");
}

void NullServer::Loop::execute(Client& client) {
  if (client.failed) return;
  if (client.unnamed) {
    client.failed = !answer_by_text(client.round, client.statement, false);
    return;
  }
  client.executes = true;
  put_row(client.round, {"0"});
  put_complete(client.round, "SELECT 1");
}

bool NullServer::Loop::handle_message(Client& client, int fd, char type, std::string_view body) {
  std::size_t at = 0;
  switch (type) {
    case 'Q':
      (void)answer_by_text(client.out, take_text(body, at), true);
      put_ready(client.out);
      return true;
    case 'P':
      if (take_text(body, at).empty()) client.statement = take_text(body, at);
      if (!client.failed) put_message(client.round, '1', "");
      return true;
    case 'B':
      (void)take_text(body, at);
      client.unnamed = take_text(body, at).empty();
      if (!client.failed) put_message(client.round, '2', "");
      return true;
    case 'D':
      describe(client);
      return true;
    case 'E':
      execute(client);
      return true;
    case 'C':
      if (!client.failed) put_message(client.round, '3', "");
      return true;
    case 'H':
      return true;
    case 'S':
      sync(client, fd);
      return true;
    default:
      return false;  // 'X', or what no session of ours sends
  }
}

void NullServer::Loop::sync(Client& client, int fd) {
  put_ready(client.round);
  const bool takes_time = client.executes && service_.servers > 0;
  if (client.executes && !takes_time) {
    const std::lock_guard lock(mutex_);
    ++answered_;
  }
  client.executes = false;
  client.failed = false;
  if (takes_time) {
    waiting_.emplace_back(fd, client.number);
    begin_service();
  } else {
    client.out.append(std::exchange(client.round, {}));
  }
}

void NullServer::Loop::begin_service() {
  while (!waiting_.empty() && static_cast<int>(busy_.size()) < service_.servers) {
    const auto [fd, number] = waiting_.front();
    waiting_.pop_front();
    const double share = service_.exponential ? -std::log(1 - random_.uniform()) : 1;
    const auto from = now_ns();
    busy_.push({from + std::llround(share * service_.mean_s * 1e9), from, fd, number});
  }
}

void NullServer::Loop::finish_due() {
  while (!busy_.empty() && busy_.top().until_ns <= now_ns()) {
    const auto done = busy_.top();
    busy_.pop();
    const auto found = clients_.find(done.fd);
    // The number distinguishes a client from a later one that got the same descriptor.
    if (found != clients_.end() && found->second.number == done.number) {
      found->second.out.append(std::exchange(found->second.round, {}));
      write_to(found->second, done.fd);
    }
    {
      const std::lock_guard lock(mutex_);
      ++answered_;
      service_times_.record((now_ns() - done.from_ns) / 1000);
    }
    begin_service();
  }
}

void NullServer::Loop::arm_timer() const {
  if (busy_.empty()) return;
  itimerspec spec{};
  spec.it_value.tv_sec = busy_.top().until_ns / kSecond;
  spec.it_value.tv_nsec = busy_.top().until_ns % kSecond;
  ::timerfd_settime(timer_fd_, TFD_TIMER_ABSTIME, &spec, nullptr);
}

void NullServer::Loop::write_to(Client& client, int fd) {
  if (!client.out.empty()) {
    const auto sent = ::send(fd, client.out.data(), client.out.size(), MSG_NOSIGNAL);
    // A client that is gone is noticed when it is read from.
    if (sent > 0) client.out.erase(0, static_cast<std::size_t>(sent));
  }
  if (client.wants_write != !client.out.empty()) {
    client.wants_write = !client.out.empty();
    watch(fd, client.wants_write, false);
  }
}

NullServer::NullServer(NullService service) : loop_(std::make_unique<Loop>(service)) {}
NullServer::~NullServer() = default;

pg::Conninfo NullServer::where() const {
  return pg::Conninfo::parse(
      fmt::format("host=127.0.0.1 port={} user=null dbname=null sslmode=disable "
                  "gssencmode=disable passfile=/nonexistent/none",
                  loop_->port()));
}

std::int64_t NullServer::answered() const {
  return loop_->answered();
}
Histogram NullServer::service_times() const {
  return loop_->service_times();
}

}  // namespace pantryd::loadgen
