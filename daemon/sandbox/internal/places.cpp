// Where a sandbox finds its programs, its ports and its user.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <random>

#include "base/error.h"
#include "sandbox/internal/server.h"
#include "sandbox/sandbox.h"

namespace pantryd {
namespace {

constexpr std::uint16_t kPortFirst = 20'000;  // below the kernel's range for outgoing connections
constexpr std::uint16_t kPortLast = 32'000;
constexpr int kPortTries = 500;

bool has_server(const std::filesystem::path& folder) {
  return ::access((folder / "initdb").c_str(), X_OK) == 0 &&
         ::access((folder / "postgres").c_str(), X_OK) == 0;
}

}  // namespace

bool port_is_free(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const int on = 1;  // as PostgreSQL does: a port in TIME_WAIT is free
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool free = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return free;
}

std::uint16_t find_free_port_pair() {
  std::random_device random;
  std::uniform_int_distribution<int> any(kPortFirst, kPortLast);
  for (int i = 0; i < kPortTries; ++i) {
    const auto port = static_cast<std::uint16_t>(any(random) & ~1);
    if (port_is_free(port) && port_is_free(static_cast<std::uint16_t>(port + 1))) return port;
  }
  throw Error(ExitCode::failed, "no two neighbouring ports are free on 127.0.0.1",
              "Name a free port with --port.");
}

std::filesystem::path find_postgres_binaries() {
  std::error_code ignored;
  int newest = 0;
  std::filesystem::path best;
  for (const auto& entry : std::filesystem::directory_iterator("/usr/lib/postgresql", ignored)) {
    const auto name = entry.path().filename().string();
    int major = 0;
    std::from_chars(name.data(), name.data() + name.size(), major);
    if (major > newest && has_server(entry.path() / "bin")) {
      newest = major;
      best = entry.path() / "bin";
    }
  }
  if (!best.empty()) return best;
  if (const auto found = find_program("initdb")) {
    const auto folder = std::filesystem::canonical(*found, ignored).parent_path();
    if (has_server(folder)) return folder;
  }
  throw Error(ExitCode::failed, "there are no PostgreSQL server programs on this machine",
              "Install them (apt-get install postgresql), or name their folder with --postgres.");
}

std::optional<UserId> server_user() {
  if (::geteuid() != 0) return std::nullopt;
  const passwd* user = ::getpwnam("postgres");
  if (user == nullptr) {
    throw Error(ExitCode::failed, "PostgreSQL does not run as root, and there is no user postgres",
                "Install the package postgresql, which makes the user, or run as another user.");
  }
  return UserId{user->pw_uid, user->pw_gid};
}

}  // namespace pantryd
