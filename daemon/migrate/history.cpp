#include "migrate/history.h"

#include <unistd.h>

namespace pantryd::migrate {
namespace {

constexpr const char* kCreate = R"(
CREATE SCHEMA IF NOT EXISTS pantryd;
CREATE TABLE IF NOT EXISTS pantryd.migrations (
    version bigint PRIMARY KEY,
    name text NOT NULL,
    kind text NOT NULL DEFAULT 'versioned' CHECK (kind IN ('versioned', 'repeatable', 'baseline')),
    checksum text NOT NULL,
    state text NOT NULL CHECK (state IN ('running', 'done')),
    statements_total integer NOT NULL DEFAULT 0,
    statements_done integer NOT NULL DEFAULT 0,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    duration_ms bigint,
    applied_by text NOT NULL DEFAULT session_user,
    host text NOT NULL,
    pid bigint NOT NULL,
    tool_version text NOT NULL,
    source text NOT NULL DEFAULT 'pantryd'
);
)";

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "unknown";
}

}  // namespace

std::vector<HistoryRow> read_history(pg::Connection& connection, Deadline deadline) {
  std::vector<HistoryRow> out;
  const auto there =
      connection.exec("SELECT to_regclass('pantryd.migrations') IS NOT NULL", deadline);
  if (!there.boolean(0, 0)) return out;
  const auto rows = connection.exec(
      "SELECT version, name, checksum, state, coalesce(finished_at::text, ''), "
      "coalesce(duration_ms, 0) FROM pantryd.migrations ORDER BY version",
      deadline);
  for (int i = 0; i < rows.rows(); ++i) {
    out.push_back({rows.i64(i, 0), std::string(rows.text(i, 1)), std::string(rows.text(i, 2)),
                   std::string(rows.text(i, 3)), std::string(rows.text(i, 4)), rows.i64(i, 5)});
  }
  return out;
}

void create_history(pg::Connection& connection, Deadline deadline) {
  connection.exec_script(kCreate, deadline);
}

void record_done(pg::Connection& connection, const Migration& migration,
                 std::chrono::milliseconds took, const std::string& tool_version,
                 Deadline deadline) {
  connection.exec(
      "INSERT INTO pantryd.migrations (version, name, checksum, state, started_at, finished_at, "
      "duration_ms, host, pid, tool_version) VALUES ($1, $2, $3, 'done', "
      "clock_timestamp() - make_interval(secs => $4::bigint / 1000.0), clock_timestamp(), "
      "$4::bigint, $5, $6, $7)",
      pg::Params::of(migration.version, migration.name, migration.checksum, took.count(),
                     host_name(), ::getpid(), tool_version),
      deadline);
}

}  // namespace pantryd::migrate
