// What a CREATE INDEX CONCURRENTLY that failed or was killed leaves behind: an invalid index, which
// costs every write, serves no read, and makes IF NOT EXISTS report a success that is none.
#pragma once

#include "migrate/split.h"
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

/// Invalid indexes that a REINDEX CONCURRENTLY left ("..._ccnew", "..._ccold"); qualified names.
[[nodiscard]] std::vector<std::string> reindex_leftovers(pg::Connection& connection,
                                                         Deadline deadline);

}  // namespace pantryd::migrate
