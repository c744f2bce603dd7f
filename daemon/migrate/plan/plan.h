// What `up` would run, and which locks it would take on which tables, found by running it in one
// transaction that is rolled back. Nothing is left behind but dead rows in the catalogues.
//
// The harm of trying is bounded: a lock is waited for no longer than lock_timeout, a statement runs
// no longer than statement_timeout, and from the first lock on anything that is there already until
// the rollback no more than hold_budget passes; the server enforces these too, should we be cut
// off. Not tried is what a rollback does not undo, what runs code that nobody looked into, what
// cannot run in a transaction, and what would read or write a table above size_max_bytes; its
// locks are told as the manual documents them.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/stop.h"
#include "migrate/files/migration.h"
#include "migrate/lint/linter.h"
#include "migrate/run/blockers.h"
#include "migrate/sql/lock_mode.h"
#include "pg/conninfo.h"

namespace pantryd::migrate {

struct PlanOptions {
  std::chrono::milliseconds lock_timeout{100};
  std::chrono::milliseconds statement_timeout{500};
  std::chrono::milliseconds hold_budget{1'000};
  std::int64_t size_max_bytes = 10 << 20;
  bool try_it = true;  ///< false: only the documented locks, nothing is run
  std::chrono::milliseconds old_transaction{60'000};  ///< told as a blocker from this age on
  std::optional<std::int64_t> to;
  bool allow_out_of_order = false;
  const StopFlag* stop = nullptr;
};

struct PlannedLock {
  std::string relation;  ///< as SQL, the schema in front when it is not public
  LockMode mode = LockMode::access_share;
  bool seen = false;    ///< in pg_locks; false: as documented
  bool held = false;    ///< an earlier statement of the same transaction has it by then
  bool is_new = false;  ///< made by the plan, so nobody else uses it
  std::optional<std::int64_t> bytes;  ///< with indexes, TOAST and partitions
  std::optional<std::int64_t> rows;   ///< the planner's estimate
};

enum class Outcome {
  tried,
  not_tried,  ///< `reason` says why
  blocked,    ///< somebody else holds a lock that it needs
  fails,      ///< up would fail here
};
[[nodiscard]] std::string_view to_string(Outcome outcome);

struct PlannedStatement {
  int number = 0;  ///< in its file, from 1
  int line = 0;
  std::string text;  ///< one line, at most 120 characters; passwords are masked
  Outcome outcome = Outcome::not_tried;
  std::string reason;  ///< empty when it was tried
  std::vector<PlannedLock> locks;
  std::vector<Finding> findings;
};

struct PlannedFile {
  std::string name;
  bool in_transaction = true;
  int statements_total = 0;
  int statements_done = 0;  ///< by an earlier run; those are not listed
  std::vector<PlannedStatement> statements;
};

/// A session in the way of the plan right now.
struct PlanBlocker {
  Blocker who;
  std::string holds;  ///< "ROW EXCLUSIVE on sales", or what else up would wait for
};

struct Plan {
  std::vector<PlannedFile> files;  ///< in the order of up; empty: nothing is pending
  std::vector<PlanBlocker> blockers;
  std::vector<std::string> notes;     ///< what the reader should know of this plan as a whole
  std::chrono::milliseconds held{0};  ///< from the first such lock to the rollback
};

/// Opens two connections. Throws as up() does before its first statement: drift, files that cannot
/// be run, no such version, a standby, a database that Knex made and nobody adopted; PgError.
[[nodiscard]] Plan make_plan(const pg::Conninfo& where, const std::vector<Migration>& files,
                             const PlanOptions& options);

}  // namespace pantryd::migrate
