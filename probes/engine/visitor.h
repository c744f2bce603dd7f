// Goes from database to database with one connection. Not thread-safe.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/stop.h"
#include "pg/connection.h"
#include "pool/pool.h"
#include "probes/engine/run.h"
#include "probes/engine/snapshot.h"

namespace pantryd::probes {

/// The databases of a server that fit one of `include` and none of `exclude` (shell patterns).
struct Databases {
  std::vector<std::string> names;  ///< to visit: the target's own first, then by name
  DatabaseCounts counts;
};
/// At most `limit` of them are to visit. Throws PgError.
[[nodiscard]] Databases databases_to_visit(pg::Connection& connection,
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
  /// Counts relations of the kind of which this database has most, from the catalogue alone. Throws
  /// Error.
  [[nodiscard]] std::int64_t count_relations(const std::string& database);
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

/// The bound on relations is the target's: its databases share it by what each one needs, which
/// must be known before the first of them takes its share. Visits those that `share` does not know,
/// and forgets those that are not in `names`.
void expect_relations(RelationShare& share, Visitor& visitor, const std::vector<std::string>& names,
                      const StopFlag& stop);

}  // namespace pantryd::probes
