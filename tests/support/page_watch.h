// For tests of the daemon under faults: the daemon as a child process, and an eye on its pages ten
// times a second for as long as the fault lasts.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/subprocess.h"
#include "pg/connection.h"
#include "pg/conninfo.h"
#include "tests/support/page_read.h"

namespace pantryd::testing_support {

/// `key: {name: NAME, dsn: "...", MORE}` of a configuration file.
[[nodiscard]] std::string target_line(const std::string& name, const pg::Conninfo& where,
                                      const std::string& more = "");

/// `pantryd serve` with a configuration of ours.
class Daemon {
 public:
  struct Options {
    std::string probes = "connect_timeout: 2s";  ///< inside of `probes: {...}`
    std::vector<std::string> wrapper;            ///< before the program, such as unshare
    bool wait_until_ready = true;
  };
  Daemon(const std::string& binary, const std::vector<std::string>& targets, Options options);
  Daemon(const std::string& binary, const std::vector<std::string>& targets)
      : Daemon(binary, targets, Options()) {}

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] pid_t pid() const { return child_->pid(); }
  [[nodiscard]] std::string page() const { return get(port_, "/metrics").body; }
  [[nodiscard]] std::string log() const;
  Child& child() { return *child_; }
  /// Connections of the process to 127.0.0.1:`server_port` that stand or are under way.
  [[nodiscard]] int connections_to(std::uint16_t server_port) const;

  void write_config(const std::vector<std::string>& targets) const;
  void write_config_text(const std::string& text) const;
  void reload() const;

 private:
  std::uint16_t port_;
  std::string probes_;
  std::unique_ptr<Child> child_;
};

/// What came of a watch.
struct Watched {
  int looks = 0;
  int bad_answers = 0;  ///< not 200, or none within five seconds
  double page_median_ms = 0, page_p99_ms = 0, page_max_ms = 0;
  double health_median_ms = 0, health_p99_ms = 0;
  double above_median_ms = 0;    ///< page less /healthz of the same moment
  double above_max_ms = 0;       ///< likewise, the worst look
  std::vector<int> missing;      ///< looks without the series, in the order they were given
  std::vector<int> connections;  ///< the most that the process held, in the order of the ports
  std::int64_t sessions = 0;     ///< the most that the server itself told of
  std::size_t page_bytes_max = 0;
};

/// Looks at /metrics, and at /healthz beside it, every 100 ms until it is asked for its report.
class PageWatch {
 public:
  /// Begins when all of the series are there. `admin` may ask a server how many sessions of
  /// kWatcher it has; empty: nobody asks.
  PageWatch(const Daemon& daemon, std::vector<std::string> series,
            std::vector<std::uint16_t> server_ports, std::optional<pg::Conninfo> admin);
  ~PageWatch();
  PageWatch(const PageWatch&) = delete;
  PageWatch& operator=(const PageWatch&) = delete;

  /// Ends the watch, prints its figures beside the bars and checks what no fault may break:
  /// every page answers, the chosen series are in each of them, no page waited for a server, and
  /// no server saw more than `sessions_max`. The process may hold more sockets for a moment: a
  /// cancel is a connection of its own, and who gets no answer to a SYN sends up to four.
  Watched finish(const std::string& fault, std::int64_t sessions_max = 3);

 private:
  void run();
  void look();
  void count_sessions(const pg::Conninfo& admin);

  const Daemon& daemon_;
  const std::vector<std::string> series_;
  const std::vector<std::uint16_t> server_ports_;
  std::vector<double> page_ms_, health_ms_, above_ms_;
  Watched watched_;
  std::atomic<bool> over_{false};
  std::thread thread_;
  std::thread counter_;
};

/// The role that the daemon has in these tests: pg_monitor and nothing else.
inline constexpr const char* kWatcher = "watcher";
/// Makes the role at the shared sandbox's primary, once; `port` may be a gate's.
[[nodiscard]] pg::Conninfo watcher_at(std::uint16_t port);
/// Sessions of the role, as the server tells them.
[[nodiscard]] std::int64_t sessions_of_watcher(pg::Connection& admin);

}  // namespace pantryd::testing_support
