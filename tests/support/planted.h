// What the owner of one database can leave lying about for whoever else looks into it.
#pragma once

#include <string>
#include <vector>

#include "pg/conninfo.h"

namespace pantryd::testing_support {

inline constexpr const char* kTenant = "tenant";

/// Makes the role `tenant`, which owns the database `tenant_db` and has no other right, and lets it
/// plant all that it may create: operators and functions that fit better than the server's own,
/// views with the names of the server's, types with casts, indexes and statistics on expressions,
/// row policies, in the schemas public, `kWatcher` (which "$user" finds), ext (of
/// pg_stat_statements) and pantryd (of our own tables), and a search_path of the database that
/// finds them first. `server` is the sandbox's owner. Returns the database, as the watcher logs in.
[[nodiscard]] pg::Conninfo plant_objects(const pg::Conninfo& server);

/// Each call of it by anybody but the tenant, from the server's log, without the first `after`.
[[nodiscard]] std::vector<std::string> called_by_others(std::size_t after = 0);

}  // namespace pantryd::testing_support
