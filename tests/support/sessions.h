// For the tests of what happens inside one session of the sandbox's primary.
#pragma once

#include <string>

#include "pg/connection.h"
#include "pg/prepared_cache.h"
#include "tests/support/shared_sandbox.h"

namespace pantryd::testing_support {

inline Deadline soon() {
  return Deadline::in(std::chrono::seconds(30));
}

inline pg::Connection connect(const pg::ConnectOptions& options = {}) {
  const auto primary = shared_sandbox().primary();
  return pg::Connection::connect(primary, soon(), options);
}

template <typename Work>
std::string code_of(Work work) {
  try {
    work();
  } catch (const pg::PgError& error) {
    return error.sqlstate();
  }
  return "no error";
}

inline std::string one(pg::Connection& connection, const std::string& sql) {
  return std::string(connection.exec(sql, soon()).text(0, 0));
}

inline std::int64_t prepared_count(pg::Connection& connection) {
  return connection
      .exec("SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'pantryd%'", soon())
      .i64(0, 0);
}

/// How often the statement of this text ran under its name.
inline std::int64_t executions(pg::Connection& connection, const std::string& text) {
  return connection
      .exec(
          "SELECT coalesce(sum(generic_plans + custom_plans), -1)::bigint FROM "
          "pg_prepared_statements WHERE name = $1",
          pg::Params::of(pg::statement_name(text)), soon())
      .i64(0, 0);
}

/// A table of the test's own with one column, "a", and one row.
inline void make_table(pg::Connection& connection, const std::string& name) {
  connection.exec_script(
      "DROP TABLE IF EXISTS " + name + "; CREATE TABLE " + name + " AS SELECT 1 AS a", soon());
}

}  // namespace pantryd::testing_support
