// Invariant: descriptors_ holds listening sockets only; what failed is closed before the Error.
#include "serve/http/listeners.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <set>
#include <string>

#include "base/error.h"
#include "base/wait.h"

namespace pantryd {
namespace {

constexpr auto kLookUpTime = std::chrono::seconds(10);
constexpr int kQueue = 4096;  // of connections that wait for accept(2); the kernel may allow less

[[noreturn]] void refuse(const Listen& listen, int reason) {
  throw Error(ExitCode::failed,
              fmt::format("cannot listen on {}: {}", listen.text(), std::strerror(reason)),
              listen_hint(reason, listen));
}

struct Found {
  ~Found() {
    if (list != nullptr) ::freeaddrinfo(list);
  }
  int failure = 0;
  addrinfo* list = nullptr;
};

std::shared_ptr<Found> look_up(const Listen& listen) {
  auto found = std::make_shared<Found>();
  const auto work = [found, listen] {
    addrinfo wanted{};
    wanted.ai_socktype = SOCK_STREAM;
    wanted.ai_flags = AI_PASSIVE | AI_NUMERICSERV | (listen.is_numeric() ? AI_NUMERICHOST : 0);
    found->failure = ::getaddrinfo(listen.address.c_str(), std::to_string(listen.port).c_str(),
                                   &wanted, &found->list);
  };
  if (listen.is_numeric()) {
    work();
  } else if (run_bounded(work, Deadline::in(kLookUpTime), nullptr) != Ready::yes) {
    throw Error(ExitCode::failed,
                fmt::format("cannot listen on {}: the name was not found in {} s", listen.text(),
                            kLookUpTime.count()),
                "Write the address itself in http.listen.");
  }
  if (found->failure != 0) {
    throw Error(
        ExitCode::failed,
        fmt::format("cannot listen on {}: {}", listen.text(), ::gai_strerror(found->failure)),
        "Write an address of this machine in http.listen.");
  }
  return found;
}

/// The descriptor, or the negative errno.
int listening(const addrinfo& where) {
  const int fd = ::socket(where.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (where.ai_family == AF_INET6) {
    ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  }
  if (::bind(fd, where.ai_addr, where.ai_addrlen) == 0 && ::listen(fd, kQueue) == 0) return fd;
  const int reason = errno;
  ::close(fd);
  return -reason;
}

}  // namespace

std::string listen_hint(int reason, const Listen& listen) {
  switch (reason) {
    case EADDRINUSE:
      return fmt::format(
          "Another process listens there, `ss -ltnp 'sport = :{}'` shows it: stop it, or choose "
          "another port with http.listen.",
          listen.port);
    case EADDRNOTAVAIL:
      return "No interface of this machine has the address, `ip address` shows those it has: "
             "correct http.listen.";
    case EACCES:
    case EPERM:
      return listen.port < 1024
                 ? "Ports below 1024 need the capability CAP_NET_BIND_SERVICE: choose a higher "
                   "one with http.listen."
                 : "A security policy of this machine forbids it: choose another port with "
                   "http.listen.";
    case EAFNOSUPPORT:
      return "This machine has IPv6 switched off: choose an IPv4 address with http.listen.";
    default:
      return "Choose another address or port with http.listen.";
  }
}

Listeners::Listeners(const std::vector<Listen>& addresses) {
  try {
    for (const auto& listen : addresses) open(listen);
  } catch (...) {
    for (const int fd : descriptors_) ::close(fd);
    throw;
  }
}

Listeners::~Listeners() {
  for (const int fd : descriptors_) ::close(fd);
}

void Listeners::open(const Listen& listen) {
  const auto found = look_up(listen);
  bool any = false;
  int absent = EADDRNOTAVAIL;
  std::set<std::string> seen;  // the file of hosts may have an address twice
  for (const auto* where = found->list; where != nullptr; where = where->ai_next) {
    if (!seen.emplace(reinterpret_cast<const char*>(where->ai_addr), where->ai_addrlen).second) {
      continue;
    }
    const int fd = listening(*where);
    if (fd >= 0) {
      descriptors_.push_back(fd);
      any = true;
    } else if (fd == -EADDRNOTAVAIL || fd == -EAFNOSUPPORT) {
      absent = -fd;  // of a name, another address may do
    } else {
      refuse(listen, -fd);
    }
  }
  if (!any) refuse(listen, absent);
}

}  // namespace pantryd
