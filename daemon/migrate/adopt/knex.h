// Private to adoption: Knex's two tables in schema public. Source: knex 3.3,
// lib/migrations/migrate (table-creator.js, Migrator.js).
#pragma once

#include <functional>
#include <vector>

#include "migrate/adopt/adopt.h"
#include "migrate/run/execute.h"

namespace pantryd::migrate {

struct KnexTables {
  bool migrations = false;  ///< public.knex_migrations is there
  bool lock = false;        ///< public.knex_migrations_lock is there
};
[[nodiscard]] KnexTables find_knex_tables(pg::Connection& connection, Deadline deadline);

/// By id. Throws Error(failed) when there are too many to be a history of migrations.
[[nodiscard]] std::vector<KnexRow> read_knex_rows(pg::Connection& connection, Deadline deadline);

/// For `migrate up`: throws Error(failed) when Knex made this database and nobody adopted it.
void require_adopted(pg::Connection& connection, Deadline deadline);

enum class KnexLock {
  free,
  ours,    ///< the fence: its row is still the version that we wrote
  theirs,  ///< a run of Knex, or one that was killed
};
[[nodiscard]] KnexLock read_knex_lock(pg::Connection& connection, Deadline deadline);
/// Throws Error(lock) that says how to free it.
void require_not_theirs(KnexLock lock);

/// In an open transaction that has locked Knex's tables, with our tables there.
void set_fence(pg::Connection& connection, Deadline deadline);
void clear_fence(pg::Connection& connection, KnexLock lock, Deadline deadline);

/// BEGIN, both tables locked against every run of Knex, `work`, COMMIT; ROLLBACK when `work`
/// returns false or throws. Attempts at the locks are short and repeated as for a migration.
/// Throws Error(lock) that names the holder when the budget is spent.
void with_knex_locked(Session& session, const std::function<bool()>& work);

}  // namespace pantryd::migrate
