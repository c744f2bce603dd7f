// A PgBouncer in front of a server of the sandbox, for tests of what a pooler changes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/subprocess.h"
#include "pg/conninfo.h"

namespace pantryd::testing_support {

struct PgBouncerOptions {
  std::string pool_mode = "transaction";  ///< or "session", "statement"
  int pool_size = 20;                     ///< server sessions for each database and user
  /// More of its settings, e.g. {"server_round_robin", "1"}; they win over ours.
  std::vector<std::pair<std::string, std::string>> settings;
};

/// Runs from its construction to its destruction, and never longer than this test binary or ten
/// minutes. On a free port of 127.0.0.1, in a folder of its own below scratch_dir(), as the
/// server's user when we are root. Logging in takes the password of the server, as scram-sha-256.
class PgBouncer {
 public:
  /// Throws Error(failed) with the end of its log when it does not start.
  explicit PgBouncer(const pg::Conninfo& server, const PgBouncerOptions& options = {});
  ~PgBouncer();
  PgBouncer(const PgBouncer&) = delete;
  PgBouncer& operator=(const PgBouncer&) = delete;

  /// The same database and user as the server's conninfo, but through the pooler.
  [[nodiscard]] pg::Conninfo conninfo() const { return through_; }
  [[nodiscard]] pg::Conninfo conninfo(const std::string& database) const {
    return through_.with("dbname", database);
  }
  /// A command of its console: "SHOW POOLS", "PAUSE", "RESUME", "KILL shop". Its rows, their
  /// values joined by "|".
  std::vector<std::string> console(const std::string& command) const;
  /// Ends it at once, as a crash would; every session through it breaks.
  void stop();
  /// Starts it again on its port. Throws as the constructor does.
  void start();

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::filesystem::path log_file() const { return folder_ / "pgbouncer.log"; }

 private:
  void write_configuration(const pg::Conninfo& server, const PgBouncerOptions& options) const;
  void write_private(const std::string& name, const std::string& content, bool ours) const;
  [[nodiscard]] bool answers() const;

  std::uint16_t port_;
  std::filesystem::path folder_;
  pg::Conninfo through_;
  std::unique_ptr<Child> child_;
};

/// Whether the program is installed; tests that need it skip themselves otherwise.
[[nodiscard]] bool has_pgbouncer();

}  // namespace pantryd::testing_support
