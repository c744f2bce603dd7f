// What a CREATE INDEX CONCURRENTLY that failed or was killed leaves behind: an invalid index, which
// costs every write, serves no read, and makes IF NOT EXISTS report a success that is none.
#pragma once

#include <string>
#include <vector>

#include "migrate/run/blockers.h"
#include "migrate/sql/split.h"
#include "pg/connection.h"

namespace pantryd::migrate {

enum class IndexState { absent, valid, invalid };

struct FoundIndex {
  IndexState state = IndexState::absent;
  std::string name;             ///< qualified and quoted
  bool on_other_table = false;  ///< the name is taken by an index of another table
  bool being_built = false;     ///< by some session, now (pg_stat_progress_create_index)
};

/// The index that a statement of an index kind names, as the catalogue has it (pg_index).
[[nodiscard]] FoundIndex find_index(pg::Connection& connection, const SqlStatement& statement,
                                    Deadline deadline);

/// Invalid indexes that a REINDEX CONCURRENTLY of what `statement` names left ("..._ccnew",
/// "..._ccold"), on that index's table or that table and its partitions; qualified names. Whether
/// somebody builds them right now is not looked at: see builders(). Of REINDEX SCHEMA and DATABASE
/// the names prove nothing, so what is found may be anybody's.
[[nodiscard]] std::vector<std::string> reindex_leftovers(pg::Connection& connection,
                                                         const SqlStatement& statement,
                                                         Deadline deadline);

/// Other sessions that build, rebuild or drop indexes of the tables of `statement`, or alter these:
/// who holds or wants a lock on one that conflicts with a build (pg_locks).
[[nodiscard]] std::vector<Blocker> builders(pg::Connection& connection,
                                            const SqlStatement& statement, Deadline deadline);

}  // namespace pantryd::migrate
