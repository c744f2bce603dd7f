// Private to adoption: what our files make, found out by running them, away from the shop's tables.
//
// In a database of its own, which takes the right CREATEDB; without it, in a schema of its own
// within a transaction that is rolled back. The second is honest only for files that name nothing
// by schema and do nothing but make tables, indexes and views, so other files are refused there.
#pragma once

#include <string>
#include <vector>

#include "migrate/files/migration.h"
#include "migrate/run/execute.h"

namespace pantryd::migrate {

struct Built {
  std::vector<std::string> made;  ///< as Catalogue::made, of schema public
  std::string where;              ///< "database" or "schema"
};

/// Leaves nothing behind; what an earlier build left that was killed is removed. The connection is
/// idle before and after. Throws Error(failed) that says which right is missing, and what the
/// runner throws for a file that fails.
[[nodiscard]] Built build(Session& session, const std::vector<Migration>& files);

/// Why this file cannot be built in a schema; empty when it can.
[[nodiscard]] std::string reason_against_schema(const Migration& file);

}  // namespace pantryd::migrate
