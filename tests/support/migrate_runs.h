// What a run of migrations that was disturbed is compared by.
#pragma once

#include <string>
#include <vector>

#include "tests/support/migrate_database.h"

namespace pantryd::testing_support {

/// Files of every kind, in a transaction and statement by statement.
inline const Files& mixed_files() {
  static const Files files{
      {"001_shop.sql",
       "-- migrate:up\nCREATE TABLE item (id int PRIMARY KEY, name text, old int);\n"
       "INSERT INTO item SELECT i, 'item ' || i, i FROM generate_series(1, 100) i;\n"
       "CREATE INDEX item_old ON item (old);\n"},
      {"002_live.sql",
       "-- migrate:no-transaction\n-- migrate:up\n"
       "SET search_path = public;\n"
       "CREATE INDEX CONCURRENTLY item_name ON item (name);\n"
       "INSERT INTO item VALUES (101, 'one more', 1);\n"
       "DROP INDEX CONCURRENTLY item_old;\n"
       "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS item_id_name ON item (id, name);\n"
       "VACUUM item;\n"
       "ALTER TABLE item ADD COLUMN price numeric;\n"},
      {"003_after.sql", "-- migrate:up\nALTER TABLE item DROP COLUMN old;\n"},
      {"R_names.sql", "-- migrate:up\nCREATE OR REPLACE VIEW names AS SELECT name FROM item;\n"},
  };
  return files;
}

/// All that a run leaves: the catalogue, the rows, and history without its times.
inline std::vector<std::string> state_of(const pg::Conninfo& where) {
  auto connection = connect(where);
  auto out = migrate::read_catalogue(connection, soon());
  for (const auto* query :
       {"SELECT count(*) || ' rows ' || sum(id) FROM item",
        "SELECT string_agg(concat_ws(' ', id, state, statements_done, statements_total), ', ' "
        "ORDER BY id) FROM pantryd.migrations",
        "SELECT fingerprint FROM pantryd.catalogue_fingerprint WHERE objects_before_run IS NULL"}) {
    const auto rows = connection.exec(query, soon());
    out.push_back(rows.empty() ? "nothing" : std::string(rows.text(0, 0)));
  }
  return out;
}

/// What a run of these files that nobody disturbs leaves.
inline std::vector<std::string> undisturbed(const std::string& folder) {
  const auto calm = fresh_database("undisturbed");
  const auto result = pantryd_run({"migrate", "up", "--dir", folder}, calm);
  if (result.exit_code != 0) return {result.output};
  return state_of(calm);
}

}  // namespace pantryd::testing_support
