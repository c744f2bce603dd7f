// The history table: one row a file, and the columns that an interrupted run is resumed from.
#include "migrate/run/history.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <tuple>

#include "pg/plain_table.h"
#include "pg/sqlstate.h"

namespace pantryd::migrate {
namespace {

constexpr const char* kCreate = R"(
CREATE SCHEMA IF NOT EXISTS pantryd;
CREATE TABLE IF NOT EXISTS pantryd.migrations (
    id text PRIMARY KEY,
    version bigint UNIQUE,
    name text NOT NULL,
    kind text NOT NULL DEFAULT 'versioned' CHECK (kind IN ('versioned', 'repeatable', 'baseline')),
    checksum text NOT NULL,
    state text NOT NULL CHECK (state IN ('running', 'failed', 'done')),
    direction text NOT NULL DEFAULT 'up' CHECK (direction IN ('up', 'down')),
    statements_total integer NOT NULL DEFAULT 0,
    statements_done integer NOT NULL DEFAULT 0,
    statement_started integer NOT NULL DEFAULT 0,
    done_checksum text NOT NULL DEFAULT '',
    error text,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    duration_ms bigint,
    attempts integer NOT NULL DEFAULT 1,
    applied_by text NOT NULL DEFAULT session_user,
    host text NOT NULL,
    pid bigint NOT NULL,
    tool_version text NOT NULL,
    source text NOT NULL DEFAULT 'pantryd',
    batch bigint
);
CREATE TABLE IF NOT EXISTS pantryd.catalogue_fingerprint (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    algorithm text NOT NULL DEFAULT '',
    fingerprint text NOT NULL DEFAULT '',
    objects text,
    objects_before_run text,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    recorded_by text NOT NULL DEFAULT session_user
);
-- Knex's lock has no owner. It is our fence while its row is the version that we wrote.
CREATE TABLE IF NOT EXISTS pantryd.knex_fence (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    row_version text NOT NULL,
    fenced_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    fenced_by text NOT NULL DEFAULT session_user
);
-- The daemon's role has only pg_monitor, and reads the state of the schema.
GRANT USAGE ON SCHEMA pantryd TO pg_monitor;
GRANT SELECT ON pantryd.migrations, pantryd.catalogue_fingerprint TO pg_monitor;
)";

// A schema of an older pantryd. Only when needed: ALTER TABLE asks for ownership and a strong lock
// before it looks whether the column is there.
constexpr const char* kIsOld =
    "SELECT count(*) < 2 FROM pg_catalog.pg_attribute "
    "WHERE attrelid = to_regclass('pantryd.migrations') AND attname IN ('source', 'batch')";
constexpr const char* kUpgrade =
    "ALTER TABLE pantryd.migrations "
    "ADD COLUMN IF NOT EXISTS source text NOT NULL DEFAULT 'pantryd', "
    "ADD COLUMN IF NOT EXISTS batch bigint";

/// Far more than anybody has; a table with more is not ours.
constexpr std::size_t kHistoryRowsMax = 100'000;

/// Throws Error(failed): the table is not as we made it.
std::int64_t parse_count(const std::string& text) {
  std::int64_t out = 0;
  const auto* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, out);
  if (error == std::errc() && at == end) return out;
  throw Error(ExitCode::failed, fmt::format("pantryd.migrations holds \"{}\" for a number", text),
              "The table was changed by hand: restore it from a backup.");
}

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "unknown";
}

std::optional<std::string> version_of(const Migration& migration) {
  if (migration.kind == Kind::repeatable) return std::nullopt;
  return std::to_string(migration.version);
}

std::string text_of(Direction direction) {
  return direction == Direction::up ? "up" : "down";
}

}  // namespace

std::vector<HistoryRow> read_history(pg::Connection& connection, Deadline deadline) {
  // The daemon reads it too, in databases of others.
  const auto rows = pg::read_plain_table(
      connection, "pantryd", "migrations",
      {"id", "version", "name", "kind", "checksum", "state", "direction", "statements_total",
       "statements_done", "statement_started", "done_checksum", "error", "finished_at",
       "duration_ms", "attempts", "source"},
      kHistoryRowsMax, deadline);
  std::vector<HistoryRow> out;
  if (!rows) return out;
  for (const auto& fields : *rows) {
    std::size_t at = 0;
    const auto text = [&](const char* otherwise = "") { return fields[at++].value_or(otherwise); };
    const auto number = [&] { return parse_count(text("0")); };
    HistoryRow row;
    row.id = text();
    row.version = number();
    row.name = text();
    row.kind = text() == "repeatable" ? Kind::repeatable : Kind::versioned;
    row.checksum = text();
    row.state = text();
    row.direction = text() == "down" ? Direction::down : Direction::up;
    row.statements_total = static_cast<int>(number());
    row.statements_done = static_cast<int>(number());
    row.statement_started = static_cast<int>(number());
    row.done_checksum = text();
    row.error = text();
    row.finished_at = text();
    row.duration_ms = number();
    row.attempts = static_cast<int>(number());
    // A schema that an older pantryd made has no such column until the next run.
    row.source = text("pantryd");
    out.push_back(std::move(row));
  }
  // Repeatable ones have no version and come last.
  std::sort(out.begin(), out.end(), [](const HistoryRow& a, const HistoryRow& b) {
    const auto key = [](const HistoryRow& row) {
      return std::tuple(row.kind == Kind::repeatable, row.version, std::string_view(row.name));
    };
    return key(a) < key(b);
  });
  return out;
}

void create_history(pg::Connection& connection, Deadline deadline) {
  try {
    connection.exec_script(kCreate, deadline);
    if (connection.exec(kIsOld, deadline).boolean(0, 0)) connection.exec(kUpgrade, deadline);
  } catch (const pg::PgError& error) {
    if (error.sqlstate() != pg::sqlstate::kInsufficientPrivilege) throw;
    throw pg::PgError(error.failure(), error.sqlstate(),
                      fmt::format("the history of migrations cannot be made: {}", error.what()),
                      "Migrate as the owner of the database, or let this role make the schema "
                      "pantryd: GRANT CREATE ON DATABASE ... TO ...; nothing was changed.");
  }
  (void)connection.take_notices();  // "already exists, skipping"
}

void record_done(pg::Connection& connection, const Migration& migration, const Finished& finished,
                 const std::string& tool_version, Deadline deadline) {
  // A repeatable one has a row already when it runs again.
  connection.exec(
      "INSERT INTO pantryd.migrations AS m (id, version, name, kind, checksum, state, "
      "statements_total, statements_done, started_at, finished_at, duration_ms, attempts, host, "
      "pid, tool_version) VALUES ($1, $2, $3, $4, $5, 'done', $6::int, $6::int, "
      "clock_timestamp() - make_interval(secs => $7::bigint / 1000.0), clock_timestamp(), "
      "$7::bigint, $8, $9, $10, $11) ON CONFLICT (id) DO UPDATE SET checksum = excluded.checksum, "
      "state = 'done', direction = 'up', statements_total = excluded.statements_total, "
      "statements_done = excluded.statements_done, statement_started = 0, done_checksum = '', "
      "error = NULL, started_at = excluded.started_at, finished_at = excluded.finished_at, "
      "duration_ms = excluded.duration_ms, attempts = excluded.attempts, "
      "applied_by = excluded.applied_by, host = excluded.host, pid = excluded.pid, "
      "tool_version = excluded.tool_version",
      pg::Params::of(migration.id(), version_of(migration), migration.name,
                     to_string(migration.kind), migration.checksum, finished.statements,
                     finished.took.count(), finished.attempts, host_name(), ::getpid(),
                     tool_version),
      deadline);
}

void record_undone(pg::Connection& connection, const Migration& migration, Deadline deadline) {
  connection.exec("DELETE FROM pantryd.migrations WHERE id = $1", pg::Params::of(migration.id()),
                  deadline);
}

void record_adopted(pg::Connection& connection, const Migration& migration,
                    const std::optional<std::string>& time, std::optional<std::int64_t> batch,
                    const std::string& tool_version, Deadline deadline) {
  std::optional<std::string> batch_text;
  if (batch) batch_text = std::to_string(*batch);
  connection.exec(
      "INSERT INTO pantryd.migrations (id, version, name, kind, checksum, state, started_at, "
      "finished_at, host, pid, tool_version, source, batch) VALUES ($1, $2, $3, $4, $5, 'done', "
      "coalesce($6::timestamptz, clock_timestamp()), $6::timestamptz, $7, $8, $9, 'knex', $10)",
      pg::Params::of(migration.id(), version_of(migration), migration.name,
                     to_string(migration.kind), migration.checksum, time, host_name(), ::getpid(),
                     tool_version, batch_text),
      deadline);
}

void record_begin(pg::Connection& connection, const Migration& migration, Direction direction,
                  int total, const Progress& progress, const std::string& tool_version,
                  Deadline deadline) {
  connection.exec(
      "INSERT INTO pantryd.migrations AS m (id, version, name, kind, checksum, state, direction, "
      "statements_total, statements_done, done_checksum, started_at, host, pid, tool_version) "
      "VALUES ($1, $2, $3, $4, $5, 'running', $6, $7, $8, $9, clock_timestamp(), $10, $11, $12) "
      "ON CONFLICT (id) DO UPDATE SET checksum = excluded.checksum, state = 'running', "
      "direction = excluded.direction, statements_total = excluded.statements_total, "
      // What is in doubt stays so when the same statement is taken up again.
      "statement_started = CASE WHEN m.state <> 'done' AND m.direction = excluded.direction "
      "AND m.statements_done = excluded.statements_done THEN m.statement_started ELSE 0 END, "
      "statements_done = excluded.statements_done, done_checksum = excluded.done_checksum, "
      "error = NULL, started_at = CASE WHEN m.state = 'done' THEN excluded.started_at "
      "ELSE m.started_at END, finished_at = NULL, applied_by = excluded.applied_by, "
      "host = excluded.host, pid = excluded.pid, tool_version = excluded.tool_version",
      pg::Params::of(migration.id(), version_of(migration), migration.name,
                     to_string(migration.kind), migration.checksum, text_of(direction), total,
                     progress.done, progress.done_checksum, host_name(), ::getpid(), tool_version),
      deadline);
}

void record_started(pg::Connection& connection, const Migration& migration, int statement,
                    Deadline deadline) {
  connection.exec("UPDATE pantryd.migrations SET statement_started = $2 WHERE id = $1",
                  pg::Params::of(migration.id(), statement), deadline);
}

void record_progress(pg::Connection& connection, const Migration& migration,
                     const Progress& progress, Deadline deadline) {
  connection.exec(
      "UPDATE pantryd.migrations SET statements_done = $2::int, statement_started = $2::int, "
      "done_checksum = $3 WHERE id = $1",
      pg::Params::of(migration.id(), progress.done, progress.done_checksum), deadline);
}

void record_failed(pg::Connection& connection, const Migration& migration, const std::string& error,
                   bool outcome_known, Deadline deadline) {
  connection.exec(
      "UPDATE pantryd.migrations SET state = 'failed', error = $2, statement_started = "
      "CASE WHEN $3::boolean THEN statements_done ELSE statement_started END WHERE id = $1",
      pg::Params::of(migration.id(), error, outcome_known), deadline);
}

void record_end(pg::Connection& connection, const Migration& migration, Direction direction,
                const Finished& finished, Deadline deadline) {
  if (direction == Direction::down) {
    record_undone(connection, migration, deadline);
    return;
  }
  connection.exec(
      "UPDATE pantryd.migrations SET state = 'done', error = NULL, "
      "finished_at = clock_timestamp(), duration_ms = $2, attempts = $3, done_checksum = '', "
      "statement_started = 0 WHERE id = $1",
      pg::Params::of(migration.id(), finished.took.count(), finished.attempts), deadline);
}

}  // namespace pantryd::migrate
