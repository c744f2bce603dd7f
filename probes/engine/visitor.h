// Goes from database to database with one connection. Not thread-safe.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "pg/connection.h"
#include "pool/pool.h"
#include "probes/engine/run.h"

namespace pantryd::probes {

/// The databases that may be connected to, by name: those that fit one of `include` and none of
/// `exclude` (shell patterns), at most `limit`. Throws PgError.
[[nodiscard]] std::vector<std::string> databases_to_visit(pg::Connection& connection,
                                                          const std::vector<std::string>& include,
                                                          const std::vector<std::string>& exclude,
                                                          std::int32_t limit, Deadline deadline);

class Visitor {
 public:
  Visitor(Login login, pg::ConnectOptions options, std::chrono::milliseconds connect_timeout,
          std::chrono::milliseconds facts_timeout);

  /// A connection to that database, the one that stands where it is the same. Throws Error.
  [[nodiscard]] pg::Connection& visit(const std::string& database);
  /// What is known of the server; since visit(), and read again from time to time.
  [[nodiscard]] const TargetFacts& facts() const { return *facts_; }
  /// Where it is, or was last; empty at first.
  [[nodiscard]] const std::string& database() const { return database_; }
  /// Closes the connection: the next visit makes one anew.
  void leave() { connection_.reset(); }

 private:
  const Login login_;
  const pg::ConnectOptions options_;
  const std::chrono::milliseconds connect_timeout_;
  const std::chrono::milliseconds facts_timeout_;
  std::unique_ptr<pg::Connection> connection_;
  std::string database_;
  std::optional<TargetFacts> facts_;
  SteadyClock::time_point facts_at_;
};

}  // namespace pantryd::probes
