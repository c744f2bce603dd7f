// Private to plan: the connection that looks on. It is never in the transaction that tries, so what
// it finds in the catalogue is what was there before, and it never waits for a lock of anybody.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "migrate/plan/plan.h"
#include "pg/connection.h"

namespace pantryd::migrate {

using Oid = std::int64_t;

struct Relation {
  Oid oid = 0;
  std::string schema;
  std::string name;
  char kind = 'r';                        ///< pg_class.relkind
  Oid table = 0;                          ///< of an index; else 0
  [[nodiscard]] std::string sql() const;  ///< as PlannedLock::relation
  [[nodiscard]] bool is_index() const { return table != 0; }
  /// Not of a person: a catalogue, a TOAST table.
  [[nodiscard]] bool is_system() const;
};

struct Weight {
  std::optional<std::int64_t> bytes;
  std::optional<std::int64_t> rows;
};

/// One row of pg_locks that a session was granted.
struct HeldLock {
  bool relation = false;  ///< of this database's relation `oid`
  bool other = false;     ///< on anything else but its own transaction
  Oid oid = 0;
  LockMode mode = LockMode::access_share;
};

class Look {
 public:
  Look(const pg::Conninfo& where, const StopFlag* stop);

  [[nodiscard]] pg::Connection& connection() { return connection_; }

  /// Each of these names (as SQL) that there is.
  [[nodiscard]] std::map<std::string, Relation> resolve(const std::set<std::string>& names);
  [[nodiscard]] std::vector<HeldLock> locks_of(int pid);
  /// With indexes, TOAST and partitions. What somebody holds or wants an ACCESS EXCLUSIVE lock of
  /// is weighed by the planner's figures: a size function would wait.
  [[nodiscard]] std::map<Oid, Weight> weigh(const std::set<Oid>& oids);
  /// Who but `own_pid` holds a lock on these relations that conflicts with the one we want.
  [[nodiscard]] std::vector<PlanBlocker> holders(const std::map<Oid, LockMode>& wanted,
                                                 int own_pid);
  /// The session that runs migrations right now, if there is one.
  [[nodiscard]] std::optional<PlanBlocker> other_runner();
  /// Triggers on DDL, which run code of their own.
  [[nodiscard]] std::vector<std::string> event_triggers();

 private:
  pg::Connection connection_;
};

/// What these oids are, as the connection's transaction sees it; those that are not there left out.
[[nodiscard]] std::map<Oid, Relation> describe_relations(pg::Connection& connection,
                                                         const std::set<Oid>& oids);

}  // namespace pantryd::migrate
