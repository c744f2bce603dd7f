// Invariant: every descriptor belongs to one client of clients_, and the thread alone uses them.
#include "tests/support/slow_clients.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

namespace pantryd::testing_support {
namespace {

constexpr int kReceiveBytes = 4096;  // the window of a slow reader
constexpr int kReadBytes = 64;
constexpr std::chrono::milliseconds kTick{20};
constexpr const char* kAsk = "GET /metrics HTTP/1.1\r\nHost: slow\r\n\r\n";
constexpr const char* kBegin = "GET /metrics HTTP/1.1\r\nHost: slow\r\nX-Slow: ";

}  // namespace

SlowClients::SlowClients(std::uint16_t port, Plan plan) : port_(port), plan_(plan) {
  clients_.resize(static_cast<std::size_t>(plan.headers + plan.readers));
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    clients_[i].reader = i >= static_cast<std::size_t>(plan.headers);
  }
  thread_ = std::thread([this] { run(); });
}

SlowClients::~SlowClients() {
  stop_.request();
  thread_.join();
  for (auto& client : clients_) close(client, false);
}

void SlowClients::open(Client& client) {
  client.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (client.fd < 0) return;
  if (client.reader) {
    ::setsockopt(client.fd, SOL_SOCKET, SO_RCVBUF, &kReceiveBytes, sizeof kReceiveBytes);
  }
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(port_);
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const auto* generic = reinterpret_cast<const sockaddr*>(&where);
  if (::connect(client.fd, generic, sizeof where) != 0 && errno != EINPROGRESS) {
    close(client, false);
    return;
  }
  ++opened_;
  client.asked = false;
  client.next = SteadyClock::now();
  // Spread out, so that they do not all come back at once.
  client.end = client.next + plan_.reopen + plan_.reopen * (opened_.load() % 16) / 16;
}

void SlowClients::close(Client& client, bool by_server) {
  if (client.fd < 0) return;
  ::close(client.fd);
  client.fd = -1;
  if (by_server) ++lost_;
}

bool SlowClients::send_some(const Client& client, const char* text) const {
  const std::string_view bytes(text);
  const auto sent = ::send(client.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  return sent == static_cast<ssize_t>(bytes.size()) || (sent < 0 && errno == EAGAIN);
}

void SlowClients::step(Client& client) {
  client.next = SteadyClock::now() + plan_.pause;
  char buffer[kReadBytes];
  if (!client.asked) {
    const bool silent = plan_.idle_headers && !client.reader;
    client.asked = true;
    if (!silent && !send_some(client, client.reader ? kAsk : kBegin)) close(client, true);
    return;
  }
  const auto got = ::recv(client.fd, buffer, sizeof buffer, 0);
  if (got == 0 || (got < 0 && errno != EAGAIN)) {
    close(client, true);
  } else if (!client.reader && !plan_.idle_headers && !send_some(client, "a")) {
    close(client, true);
  }
}

void SlowClients::run() {
  while (!stop_.wait(Deadline::in(kTick))) {
    const auto now = SteadyClock::now();
    for (auto& client : clients_) {
      if (client.fd >= 0 && now >= client.end) close(client, false);
      if (client.fd < 0) open(client);
      if (client.fd < 0 || now < client.next) continue;
      pollfd ready{client.fd, POLLOUT, 0};  // connected
      if (client.asked || ::poll(&ready, 1, 0) == 1) step(client);
    }
  }
}

}  // namespace pantryd::testing_support
